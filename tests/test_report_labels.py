import random

from nas.report.labels import SIZES, Spot, place, scale


def test_a_name_beside_a_lonely_mark_needs_no_line() -> None:
    spot = Spot(0.5, 0.5)
    (at,) = place([(spot, "b0")], [spot])
    assert not at.leader


def test_a_name_goes_to_the_empty_side() -> None:
    spot = Spot(0.5, 0.5)
    (at,) = place([(spot, "b0")], [spot, *(Spot(0.51 + n / 100, 0.3 + m / 50) for n in range(15) for m in range(20))])
    assert at.dx < 0


def test_names_stay_inside_and_cover_neither_marks_nor_each_other() -> None:
    draw = random.Random(0)
    marks = [Spot(draw.uniform(0.4, 0.6), draw.uniform(0.4, 0.6)) for _ in range(60)]
    named = [(marks[0], "efficientnetv2-s"), (marks[1], "smallest"), (Spot(0.94, 0.94), "efficientnet-b4")]
    places = place(named, [*marks, named[2][0]])
    for width, height in SIZES:
        boxes = []
        for (spot, name), at in zip(named, places, strict=True):
            x, y, half = spot.x * width + at.dx, spot.y * height + at.dy, 3.6 * len(name)
            boxes.append((x - half, y - 8, x + half, y + 8))
        for left, bottom, right, top in boxes:
            assert left > 0 < bottom
            assert right < width
            assert top < height
            assert not any(left < m.x * width < right and bottom < m.y * height < top for m in marks)
        for n, (left, bottom, right, top) in enumerate(boxes):
            assert not any(left < b[2] and b[0] < right and bottom < b[3] and b[1] < top for b in boxes[:n])


def test_a_scale_shows_all_values_and_a_margin() -> None:
    across = scale([1, 10, 100], log=True)
    assert 0 < across(1) < across(10) < across(100) < 1
    assert scale([3, 3], log=False)(3) == 0.5
