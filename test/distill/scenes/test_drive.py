import numpy as np

from distill.scenes.drive import Drive, _street
from distill.scenes.layout import CAMERA_SPEED

DRIVE = Drive(seed=11, size=(48, 80), frames=40, conditions=("rain", "fog"))


def test_frames_come_ten_a_second() -> None:
    stamps = [DRIVE.stamp(index) for index in range(40)]

    assert np.diff(stamps).tolist() == [100_000_000] * 39


def test_conditions_take_equal_shares_in_the_order_given() -> None:
    assert [DRIVE.condition(index) for index in range(40)] == ["rain"] * 20 + ["fog"] * 20


def test_a_frame_depends_on_nothing_but_its_number() -> None:
    later = DRIVE.render(9).rgb
    DRIVE.render(3)

    np.testing.assert_array_equal(DRIVE.render(9).rgb, later)


def test_the_camera_drives_along_its_lane() -> None:
    street = _street(DRIVE.seed, DRIVE.frames)

    cameras = [DRIVE.camera(street, index / 10) for index in range(40)]

    moved = np.diff([camera.position[2] for camera in cameras])
    np.testing.assert_allclose(moved, CAMERA_SPEED / 10, rtol=1e-6)
    for camera in cameras:
        offset = camera.position[0] - float(street.bend(camera.position[2]))
        assert 0.3 < offset < street.half_width(1)


def test_neighbouring_frames_show_nearly_the_same() -> None:
    first, second, far = DRIVE.render(0).labels, DRIVE.render(1).labels, DRIVE.render(35).labels

    assert (first == second).mean() > 0.85
    assert (first == far).mean() < (first == second).mean()


def test_others_move_by_their_speed() -> None:
    street = _street(DRIVE.seed, DRIVE.frames)
    moving = [thing for thing in street.things if thing.speed > 1]

    assert moving
    for thing in moving:
        travelled = thing.place(street, 2.0).z - thing.place(street, 0.5).z
        assert abs(travelled - 1.5 * thing.speed) < 1e-6
