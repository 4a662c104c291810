from __future__ import annotations

import pytest

from interlock.errors import UsageError
from interlock.stores.etcd_url import Endpoint, EtcdPlace, etcd_place

SECRET = {"INTERLOCK_ETCD_PASSWORD": "s3cret"}


@pytest.mark.parametrize(
    ("url", "environ", "place"),
    [
        pytest.param("etcd://10.0.0.1", {}, EtcdPlace(endpoints=(Endpoint(host="10.0.0.1", port=2379),)), id="usual port"),
        pytest.param(
            "etcd://a:1,b:2,a:1/",
            {},
            EtcdPlace(endpoints=(Endpoint(host="a", port=1), Endpoint(host="b", port=2))),
            id="several, one of them twice",
        ),
        pytest.param("etcd://[::1]:9", {}, EtcdPlace(endpoints=(Endpoint(host="::1", port=9),)), id="IPv6"),
        pytest.param(
            "etcd://a/teams/db/?lease=1m",
            {},
            EtcdPlace(endpoints=(Endpoint(host="a", port=2379),), prefix="teams/db", lease_s=60),
            id="prefix",
        ),
        pytest.param(
            "etcds://u@a?ca=/ca&cert=/c&key=/k",
            {**SECRET, "INTERLOCK_ETCD_CA": "/other"},
            EtcdPlace(
                endpoints=(Endpoint(host="a", port=2379),),
                tls=True,
                ca="/ca",
                cert="/c",
                key="/k",
                user="u",
                password=SECRET["INTERLOCK_ETCD_PASSWORD"],
            ),
            id="TLS",
        ),
        pytest.param(
            "etcds://a",
            {**SECRET, "INTERLOCK_ETCD_USER": "u", "INTERLOCK_ETCD_CA": "/ca"},
            EtcdPlace(endpoints=(Endpoint(host="a", port=2379),), tls=True, ca="/ca", user="u", password=SECRET["INTERLOCK_ETCD_PASSWORD"]),
            id="from the environment",
        ),
        pytest.param(
            "etcd://u@127.0.0.1",
            SECRET,
            EtcdPlace(endpoints=(Endpoint(host="127.0.0.1", port=2379),), user="u", password=SECRET["INTERLOCK_ETCD_PASSWORD"]),
            id="a password in clear that stays on this machine",
        ),
    ],
)
def test_a_url_names_a_place(url: str, environ: dict[str, str], place: EtcdPlace) -> None:
    assert etcd_place(url, environ) == place


@pytest.mark.parametrize(
    ("url", "environ", "message"),
    [
        pytest.param("etcd://", {}, "is no member's address", id="nobody"),
        pytest.param("etcd://a,,b", {}, "is no member's address", id="a hole"),
        pytest.param("etcd://a:x", {}, "is no member's address", id="no port"),
        pytest.param("etcd://a/../b", {}, "is no prefix for keys", id="dots"),
        pytest.param("etcd://a?lease=1s", {}, "a lease of '1s' can't be had", id="too short"),
        pytest.param("etcd://a?lease=2500ms", {}, "a lease of '2500ms' can't be had", id="not whole"),
        pytest.param("etcd://a?ca=/x", {}, "'ca' is not known here", id="a CA without TLS"),
        pytest.param("etcd://a?leese", {}, "is not a store", id="not a parameter"),
        pytest.param("etcd://a?password=s3cret", {}, "'password' is not known here", id="a password as a parameter"),
        pytest.param("etcd://u:s3cret@a", {}, "the store's URL holds a password", id="a password in the URL"),
        pytest.param("etcds://u@a", {}, "the password of etcd's user u is not set", id="no password"),
        pytest.param("etcd://u@10.0.0.1", SECRET, "would cross the network in clear", id="a password in clear"),
        pytest.param("etcd://u@db.example", SECRET, "would cross the network in clear", id="a name may lead anywhere"),
        pytest.param("etcds://a?cert=/c", {}, "only one is given", id="no key"),
    ],
)
def test_what_names_no_place_is_a_usage_error_with_a_hint(url: str, environ: dict[str, str], message: str) -> None:
    with pytest.raises(UsageError, match=message) as refused:
        etcd_place(url, environ)
    assert refused.value.hint
    assert "s3cret" not in refused.value.hint


def test_a_password_is_in_no_repr() -> None:
    assert "s3cret" not in repr(etcd_place("etcds://u@a", SECRET))
