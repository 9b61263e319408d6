"""How much is measured. Figures of different sizes are not comparable, so every figure carries its own."""

from dataclasses import dataclass, replace


@dataclass(frozen=True, slots=True, kw_only=True)
class Sizes:
    """How many of everything.

    Attributes:
        rounds: how often completing and sweeping are measured.
        presign_rounds: how often signing is, in turn with what it is compared with.
        presigned: URLs signed in one round.
        completed: uploads completed in one round.
        abandoned: uploads abandoned and swept in one round.
        planned_small: objects in the bucket when the plan's memory is taken first.
        planned_large: objects in the bucket when it is taken again, and its speed with it.
        plan_rounds: how often the large bucket is planned and paginated.
        writers: threads that fill a bucket.
    """

    rounds: int
    presign_rounds: int
    presigned: int
    completed: int
    abandoned: int
    planned_small: int
    planned_large: int
    plan_rounds: int
    writers: int = 16


FULL = Sizes(
    rounds=3,
    presign_rounds=15,  # short rounds: what the machine does besides meets both sides alike
    presigned=200,
    completed=50,
    abandoned=1000,
    planned_small=10_000,
    planned_large=100_000,
    plan_rounds=3,
)
QUICK = replace(FULL, presign_rounds=3, completed=10, abandoned=100, planned_small=500, planned_large=5000)
TINY = Sizes(
    rounds=1,
    presign_rounds=1,
    presigned=5,
    completed=2,
    abandoned=3,
    planned_small=4,
    planned_large=8,
    plan_rounds=1,
    writers=2,
)
