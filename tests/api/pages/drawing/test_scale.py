"""The scale: what is wide, what is squeezed, and where the ticks are."""

from __future__ import annotations

from itertools import pairwise

from hypothesis import given
from hypothesis import strategies as st

from api.pages.drawing.scale import BREAKS, MOST_BREAKS, Interval, Scale, silences
from api.pages.drawing.ticks import APART, ticks

DAY = 86_400.0
seconds = st.floats(0, 20 * 365 * DAY)
times = st.tuples(seconds, seconds).map(lambda pair: Interval(*sorted(pair)))
scales = st.builds(Scale, seconds, st.lists(times, max_size=30))


def test_every_second_is_equally_wide_if_nothing_is_silent() -> None:
    scale = Scale(200.0, [Interval(0, 200)])

    assert [scale.at(second) for second in (0, 50, 100, 200)] == [0, 25, 50, 100]
    assert scale.breaks == []


def test_a_long_silence_is_squeezed_and_the_rest_is_to_scale() -> None:
    scale = Scale(2 * DAY + 200, [Interval(0, 100), Interval(2 * DAY + 100, 2 * DAY + 200)])

    [silence] = scale.breaks
    assert silence.time == Interval(100, 2 * DAY + 100)
    assert round(silence.right - silence.left, 3) == 14
    assert scale.at(50) - scale.at(0) == scale.at(2 * DAY + 200) - scale.at(2 * DAY + 150)


def test_a_short_silence_is_to_scale() -> None:
    assert Scale(300.0, [Interval(0, 100), Interval(150, 300)]).breaks == []


def test_where_all_is_silent_nothing_is_squeezed() -> None:
    scale = Scale(DAY, [])

    assert (scale.breaks, scale.at(DAY / 2)) == ([], 50)


def test_a_moment_between_two_silences_does_not_make_all_of_it_squeezed() -> None:
    scale = Scale(3.3, [Interval(1.1, 1.1)])

    assert scale.breaks == []


def test_times_that_overlap_are_heard_once() -> None:
    loud = [Interval(20, 30), Interval(0, 10), Interval(5, 12), Interval(25, 26)]

    assert silences(40, loud) == [Interval(12, 20), Interval(30, 40)]


@given(scales, st.lists(seconds, min_size=2))
def test_time_runs_from_left_to_right_within_the_drawing(scale: Scale, asked: list[float]) -> None:
    places = [scale.at(second) for second in sorted(asked)]

    assert all(0 <= place <= 100 for place in places)
    assert places == sorted(places)
    assert (scale.at(0), scale.at(scale.until)) == (0, 100)


@given(scales)
def test_silences_take_at_most_half_of_the_width(scale: Scale) -> None:
    assert len(scale.breaks) <= MOST_BREAKS
    assert sum(part.right - part.left for part in scale.breaks) <= 100 * BREAKS + 1e-6
    assert any(not part.squeezed for part in scale.parts)


@given(scales)
def test_the_words_of_ticks_have_room(scale: Scale) -> None:
    places = [tick.place for tick in ticks(scale)]

    assert all(right - left >= APART - 0.01 for left, right in pairwise(places))


def test_ticks_are_round_and_begin_again_after_a_silence() -> None:
    loud = [Interval(0, 130), Interval(DAY, DAY + 130)]

    assert [tick.words for tick in ticks(Scale(DAY + 130, loud))] == [
        "0",
        "1 min",
        "2 min",
        "+1 min",
        "+2 min",
    ]
    assert [tick.words for tick in ticks(Scale(21 * DAY, [Interval(0, 21 * DAY)]))][-1] == "21 d"
    assert [tick.words for tick in ticks(Scale(4000 * DAY, [Interval(0, 4000 * DAY)]))][
        -1
    ] == "10 years"
