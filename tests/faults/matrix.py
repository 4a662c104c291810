def chosen(faults):
    import itertools
    from faults.stage import Moment

    return [(a, b, c) for a in faults for b in Moment for c in (True, False)]
