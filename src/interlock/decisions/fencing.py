"""Is a server that can't be asked any more closed to clients, by what stands outside of it?"""

from __future__ import annotations

from collections.abc import Sequence

from interlock.model.fencing import AgentFacts
from interlock.model.topology import ClusterSpec
from interlock.model.verdict import Act, Done, Refuse, Verdict


def proof_among(agents: Sequence[AgentFacts]) -> AgentFacts | None:
    """The first that closes every way in and says, by its own look, that it has."""
    return next((agent for agent in agents if agent.whole and agent.fenced is True), None)


def sentence(cluster: ClusterSpec) -> str:
    """What an operator types to open the other side although nothing proves that this one is closed."""
    return f"{cluster.name} at {cluster.master.host}:{cluster.master.port} may still take writes, and I answer for it"


def is_accepted(cluster: ClusterSpec, accepted: str) -> bool:
    """Blanks apart, word for word."""
    return " ".join(accepted.split()) == sentence(cluster)


def can_be_fenced(cluster: ClusterSpec, agents: Sequence[AgentFacts], accepted: str) -> Verdict:
    """Before anything is touched: is there a way to prove it closed, or a person who answers for it?"""
    if accepted and not is_accepted(cluster, accepted):
        return Refuse(f"the accepted sentence is not the one for {cluster.name}", type_it(cluster))
    if not any(agent.whole for agent in agents) and not accepted:
        partly = f"; {', '.join(agent.agent for agent in agents)} close only a part of the ways in" if agents else ""
        return Refuse(
            f"nothing can prove {cluster.name} closed: its `fencing` names no way that closes it wholly{partly}",
            f"add one to the topology file (docs/fencing.md), or see that it is off and {type_it(cluster)}",
        )
    ways = ", then ".join(agent.agent for agent in agents)
    whole = [agent for agent in agents if agent.whole]
    if whole and not accepted and all(agent.fenced is None for agent in whole):
        said = "; ".join(f"{agent.agent}: {agent.detail}" for agent in whole)
        return Refuse(f"nothing that could close {cluster.name} wholly answers ({said})", f"see that it is off, then {type_it(cluster)}")
    return Done(f"{cluster.name} can be fenced from outside: {ways}" if ways else f"a person answers for {cluster.name}")


def is_fenced_outside(cluster: ClusterSpec, agents: Sequence[AgentFacts], accepted: str) -> Verdict:
    """Done once one of them proves it wholly closed. What was accepted counts once every way has been tried in vain."""
    proof = proof_among(agents)
    if proof is not None:
        return Done(f"{cluster.name} is fenced from outside by {proof.agent}: {proof.detail}")
    by_word = Done(
        f"accepted, not proved: {sentence(cluster)}",
        warnings=(f"{cluster.name} is not proved fenced; opened on the operator's word: {sentence(cluster)}",),
    )
    if accepted and not is_accepted(cluster, accepted):
        return Refuse(f"the accepted sentence is not the one for {cluster.name}", type_it(cluster))
    left = [agent for agent in agents if agent.fenced is not True]
    if left:
        ways = ", then ".join(f"{agent.agent}: {agent.detail}" for agent in left)
        if accepted:
            return Act(f"{cluster.name} is not closed from outside yet ({ways})", otherwise=by_word)
        return Act(f"{cluster.name} is not closed from outside yet ({ways}; should none of them prove it, {type_it(cluster)})")
    if accepted:
        return by_word
    return Refuse(f"nothing proves {cluster.name} closed", f"see that it is off, then {type_it(cluster)}")


def type_it(cluster: ClusterSpec) -> str:
    """For a hint: what takes the place of a proof."""
    return f'add --accept "{sentence(cluster)}"'
