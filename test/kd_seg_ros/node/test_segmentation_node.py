"""The node in its own process, over DDS, with a model whose answer is known."""

from __future__ import annotations

import signal
import time
from collections.abc import Iterator
from pathlib import Path

import cv2
import numpy as np
import pytest

rclpy = pytest.importorskip("rclpy")

from dds import Client, as_array, rgb_message, running_node, start_node, wait_until  # noqa: E402
from sensor_msgs.msg import CompressedImage, Image  # noqa: E402
from tiny_model import expected, write_tiny_model  # noqa: E402

from kd_seg_ros.common.child_process import ChildProcess  # noqa: E402
from kd_seg_ros.node.worker import WARNING_PERIOD_S  # noqa: E402

HEIGHT, WIDTH = 48, 64


@pytest.fixture(scope="module")
def model(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_tiny_model(tmp_path_factory.mktemp("model") / "tiny.onnx", HEIGHT, WIDTH)


@pytest.fixture(scope="module")
def settings(model: Path) -> list[str]:
    return ["-p", f"model:={model}", "-p", "provider:=cpu", "-p", "diagnostics.period_s:=0.2"]


def picture(seed: int, height: int = HEIGHT, width: int = WIDTH) -> np.ndarray:
    return np.random.default_rng(seed).integers(0, 256, (height, width, 3), np.uint8)


@pytest.fixture
def client(request: pytest.FixtureRequest) -> Iterator[Client]:
    """A client in the namespace of the test's own node, or of the shared one."""
    client = Client(getattr(request, "param", "shared"))
    yield client
    client.close()


@pytest.fixture(scope="module")
def shared_node(settings: list[str]) -> Iterator[ChildProcess]:
    with running_node(
        "shared", *settings, "-p", "overlay_marks:=false", "-p", "overlay_legend:=none"
    ) as node:
        yield node


def test_mask_and_confidence_are_exact(shared_node: ChildProcess, client: Client) -> None:
    camera = client.publisher("image")
    masks, confidences = client.collect("segmentation/mask"), client.collect("segmentation/confidence")
    image = picture(0)
    message = rgb_message(image, second=5, frame_id="front_camera_optical", pad=10)
    client.ask(camera, message, masks)
    client.ask(camera, message, confidences)
    for answer, wanted in zip((masks[0], confidences[0]), expected(image), strict=True):
        assert answer.header == message.header
        assert answer.encoding == "mono8"
        np.testing.assert_array_equal(as_array(answer), wanted)


def test_best_effort_subscribers_are_served(shared_node: ChildProcess, client: Client) -> None:
    masks = client.collect("segmentation/mask", best_effort=True)
    image = picture(1)
    answer = client.ask(client.publisher("image"), rgb_message(image), masks)
    np.testing.assert_array_equal(as_array(answer), expected(image)[0])


def test_size_may_change_from_frame_to_frame(shared_node: ChildProcess, client: Client) -> None:
    camera, masks = client.publisher("image"), client.collect("segmentation/mask")
    for second, factor in enumerate((1, 2, 1, 3), start=1):
        image = picture(factor).repeat(factor, axis=0).repeat(factor, axis=1)  # shrinking gives it back
        answer = client.ask(camera, rgb_message(image, second), masks)
        np.testing.assert_array_equal(as_array(answer), expected(image)[0])
    shared_node.wait_for("are resized to the model's 64×48")
    warnings = [line for line in shared_node.lines if "are resized to the model's" in line]
    assert len(warnings) == 1


def bad_messages() -> list[Image]:
    """Wrong in one way each."""
    bad = [rgb_message(picture(9), second=100 + number) for number in range(7)]
    bad[0].step -= 1
    bad[1].data = bad[1].data[:-1]
    bad[2].width = bad[2].height = bad[2].step = 0
    bad[3].encoding = "nonsense"
    bad[4].encoding = "mono16"
    bad[5].encoding = ""
    bad[6].height = 2**32 - 1
    return bad


def test_bad_images_are_counted_and_the_node_lives_on(shared_node: ChildProcess, client: Client) -> None:
    camera, masks = client.publisher("image"), client.collect("segmentation/mask")
    states = client.diagnostics()
    client.ask(camera, rgb_message(picture(2), second=50), masks)
    assert client.spin_until(lambda: states)
    rejected = int(states[-1]["frames_rejected"])
    start = time.monotonic()
    for message in bad_messages():
        camera.publish(message)
        rejected += 1
        assert client.spin_until(lambda: int(states[-1]["frames_rejected"]) == rejected)  # noqa: B023
    seen = len(states)
    for second in range(51, 151):  # until a good and a bad frame are in one report
        client.ask(camera, rgb_message(picture(3), second), masks)
        camera.publish(bad_messages()[0])
        rejected += 1
        assert client.spin_until(lambda: int(states[-1]["frames_rejected"]) == rejected)  # noqa: B023
        if ("1", "1 frames could not be decoded") in {(s["level"], s["message"]) for s in states[seen:]}:
            break
    else:
        raise AssertionError("no report says that a frame could not be decoded")
    assert {answer.header.stamp.sec for answer in masks} == set(range(50, second + 1))
    shared_node.wait_for("frame dropped: ")
    warnings = [line for line in shared_node.lines if "[WARN]" in line and "frame dropped: " in line]
    most = 1 + (time.monotonic() - start) / WARNING_PERIOD_S
    assert 1 <= len(warnings) <= most, "throttled, not silent"


def test_diagnostics(shared_node: ChildProcess, client: Client) -> None:
    states, masks = client.diagnostics(), client.collect("segmentation/mask")
    camera = client.publisher("image")

    def settled() -> bool:
        """No frame is on its way through the node, and the last seconds had one."""
        if not states or states[-1]["level"] != "0" or "latency_ms_p50" not in states[-1]:
            return False
        ends = ("published", "overwritten", "rejected", "failed")
        ended = sum(int(states[-1][f"frames_{event}"]) for event in ends)
        return int(states[-1]["frames_received"]) == ended

    for second in range(1, 101):  # on a busy machine the last seconds of a report may be over before it comes
        client.ask(camera, rgb_message(picture(4), second), masks)
        if client.spin_until(settled, 3.0):
            break
    state = states[-1]
    assert state["provider"] == "CPUExecutionProvider"
    assert state["model"] == "tiny"
    assert state["topic"] == "/shared/image"
    assert state["calibration_error"] == "5.00 % on the images it was calibrated on"
    assert float(state["input_rate_hz"]) > 0
    for quantity in ("decode_ms", "inference_ms", "publish_ms", "latency_ms", "image_age_ms"):
        assert 0 <= float(state[f"{quantity}_p50"]) <= float(state[f"{quantity}_p99"])


def test_overlay_for_a_subscriber(shared_node: ChildProcess, client: Client) -> None:
    overlays = client.collect("segmentation/overlay")
    image = picture(5)
    answer = client.ask(client.publisher("image"), rgb_message(image, second=7), overlays)
    assert answer.encoding == "bgr8"
    assert answer.header.frame_id == "camera"
    from kd_seg_ros.common.classes import PALETTE

    colours = np.array(PALETTE)[expected(image)[0]]
    wanted = (0.5 * image + 0.5 * colours)[..., ::-1]
    np.testing.assert_allclose(as_array(answer), wanted, atol=0.51)


def test_stamps_never_go_back_under_load(shared_node: ChildProcess, client: Client) -> None:
    camera, masks = client.publisher("image"), client.collect("segmentation/mask")
    client.ask(camera, rgb_message(picture(6), second=1), masks)
    for second in range(2, 102):
        camera.publish(rgb_message(picture(6), second))
    assert client.spin_until(lambda: masks[-1].header.stamp.sec == 101), "the newest frame wins"
    # The first frame may have been sent, and answered, several times.
    seconds = [answer.header.stamp.sec for answer in masks if answer.header.stamp.sec > 1]
    assert seconds == sorted(set(seconds))


@pytest.mark.parametrize("client", ["matching"], indirect=True)
def test_reliability_follows_the_publishers(settings: list[str], client: Client) -> None:
    masks, states = client.collect("segmentation/mask"), client.diagnostics()
    with running_node(
        "matching", *settings, "-p", "use_sim_time:=true", "-p", "active:=always"
    ) as node:  # and nobody publishes /clock
        best_effort = client.publisher("image", best_effort=True)
        client.ask(best_effort, rgb_message(picture(0), second=1), masks)
        node.wait_for("subscribing as BEST_EFFORT")
        reliable = client.publisher("image")
        client.ask(reliable, rgb_message(picture(0), second=2), masks)
        client.node.destroy_publisher(best_effort)
        node.wait_for("subscribing as RELIABLE")
        client.ask(reliable, rgb_message(picture(0), second=3), masks)
        assert not any("incompatible QoS" in line for line in node.lines)
        assert client.spin_until(lambda: states)
    assert masks[0].header.stamp.sec == 1


@pytest.mark.parametrize("client", ["car/front"], indirect=True)
def test_namespace_remapping_compressed_and_float_confidence(settings: list[str], client: Client) -> None:
    confidences, masks = client.collect("segmentation/confidence"), client.collect("classes")
    pictures = client.collect("classes/compressed", CompressedImage)  # moves with the mask
    options = ["-p", "compressed:=true", "-p", "confidence_encoding:=32FC1", "-p", "reliability:=reliable"]
    remapping = ["-r", "image:=/cameras/front/image_raw", "-r", "segmentation/mask:=classes"]
    with running_node("car/front", *settings, *options, *remapping):
        camera = client.publisher("/cameras/front/image_raw/compressed", CompressedImage)
        image = picture(0)
        png = cv2.imencode(".png", image[..., ::-1])[1].tobytes()
        message = CompressedImage(format="png", data=png)
        message.header.stamp.sec, message.header.frame_id = 3, "front"
        mask = client.ask(camera, message, masks)
        client.ask(camera, message, confidences)
        client.ask(camera, message, pictures)
    lossless = cv2.imdecode(np.frombuffer(pictures[0].data, np.uint8), cv2.IMREAD_UNCHANGED)
    np.testing.assert_array_equal(lossless, expected(image)[0])
    np.testing.assert_array_equal(as_array(mask), expected(image)[0])
    assert confidences[0].header == mask.header == message.header
    assert confidences[0].encoding == "32FC1"
    np.testing.assert_allclose(as_array(confidences[0]), image[..., 1] / 255, rtol=1e-6)


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP])
def test_ends_cleanly_while_frames_arrive(settings: list[str], number: signal.Signals) -> None:
    namespace = f"ending_{number.name.lower()}"
    client = Client(namespace)
    node = start_node("--ros-args", "-r", f"__ns:=/{namespace}", *settings)
    try:
        camera, masks = client.publisher("image"), client.collect("segmentation/mask")
        client.ask(camera, rgb_message(picture(0)), masks)
        for second in range(2, 12):
            camera.publish(rgb_message(picture(0), second))
        node.interrupt(number)
        for _ in range(5):  # as under launch, where the terminal and launch both send it
            time.sleep(0.05)
            node.interrupt(number)
        assert node.wait() == 0
    finally:
        client.close()
    assert not [line for line in node.lines if "Traceback" in line or "Error" in line or "[ERROR]" in line]


@pytest.mark.parametrize(
    ("options", "reason"),
    [
        ([], "no frame was segmented: nobody listens to an output"),
        (["-p", "active:=always"], "no frame was segmented: no image came on /nothing/image"),
    ],
)
def test_a_bag_without_effect_ends_with_status_1(
    settings: list[str], options: list[str], reason: str
) -> None:
    arguments = ["--expect-frames", "--ros-args", "-r", "__ns:=/nothing", *settings, *options]
    node = start_node(*arguments)
    node.wait_for("ready:")
    assert node.stop() == 1
    assert node.lines[-1].startswith(f"error: {reason}")


@pytest.mark.parametrize("client", ["expecting"], indirect=True)
def test_frames_that_were_expected_came(settings: list[str], client: Client) -> None:
    masks = client.collect("segmentation/mask")
    node = start_node("--expect-frames", "--ros-args", "-r", "__ns:=/expecting", *settings)
    client.ask(client.publisher("image"), rgb_message(picture(0)), masks)
    assert node.stop() == 0


@pytest.mark.parametrize("topic", ["segmentation/mask", "/diagnostics"])
def test_ends_cleanly_while_still_starting(settings: list[str], topic: str) -> None:
    namespace = "starting_" + topic.rpartition("/")[2]
    client = Client(namespace)
    node = start_node("--ros-args", "-r", f"__ns:=/{namespace}", *settings)
    try:
        name = client.node.resolve_topic_name(topic)

        def published() -> bool:  # by this node: others, that have just ended, are on /diagnostics too
            publishers = client.node.get_publishers_info_by_topic(name)
            return any(publisher.node_namespace == f"/{namespace}" for publisher in publishers)

        assert wait_until(published)
        node.interrupt(signal.SIGINT)
        assert node.wait() == 0, node.lines
    finally:
        client.close()
    assert not any("Traceback" in line for line in node.lines), node.lines


@pytest.mark.skipif(Path("/dev/nvidiactl").exists(), reason="this machine has a GPU")
@pytest.mark.parametrize("client", ["automatic"], indirect=True)
def test_auto_without_a_gpu_warns_once_and_reports_the_cpu(model: Path, client: Client) -> None:
    states = client.diagnostics()
    options = ["-p", f"model:={model}", "-p", "provider:=auto", "-p", "diagnostics.period_s:=0.2"]
    with running_node("automatic", *options) as node:
        assert client.spin_until(lambda: states)
        warnings = [line for line in node.lines if "running on the CPU" in line]
        assert len(warnings) == 1
        assert "[WARN]" in warnings[0]
        assert "[automatic.segmentation]" in warnings[0]
    assert states[-1]["provider"] == "CPUExecutionProvider"


@pytest.mark.parametrize(
    ("yaml", "complaint"),
    [
        ("confidence_encodng: mono8", "error: unknown parameter 'confidence_encodng'; did you mean 'confide"),
        ("model: /no/such/file.onnx", "error: /no/such/file.onnx: no such model file"),
        ("[", "error: Failed to parse ROS arguments: "),
    ],
)
def test_refused_at_start_in_one_line(tmp_path: Path, yaml: str, complaint: str) -> None:
    file = tmp_path / "params.yaml"
    file.write_text("/**:\n  ros__parameters:\n    provider: cpu\n    " + yaml + "\n")
    node = start_node("--ros-args", "--params-file", str(file))
    assert node.wait() == 2
    assert len([line for line in node.lines if line.startswith("error: ")]) == 1
    assert any(line.startswith(complaint) for line in node.lines), node.lines
    assert not any("Traceback" in line for line in node.lines)
