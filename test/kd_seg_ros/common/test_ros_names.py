import pytest

from kd_seg_ros.common.ros_names import is_topic_name, is_type_name

TOPICS = ("/a", "/camera/image_raw", "/_hidden/x1", "/a__b")
NO_TOPICS = ("", "/", "a", "/a/", "//a", "/1a", "/a b", "/a\n", "/ä", "/a-b", "/" + 300 * "a")
TYPES = ("std_msgs/msg/String", "a/srv/B_Event", "nav2_msgs/action/X_FeedbackMessage")
NO_TYPES = (
    "",
    "std_msgs/String",
    "os.path/msg/X",
    "this/msg/",
    "../x/msg/X",
    "a/msg/x",
    "A/msg/X",
    "a__b/msg/X",
)
MORE = (
    "a__b/msg/X",
    f"{'a' * 200}!/msg/X",
    "a/msg/X\n",
)  # the second takes for ever where an expression is careless


@pytest.mark.parametrize("name", TOPICS)
def test_topic_names(name: str) -> None:
    assert is_topic_name(name)


@pytest.mark.parametrize("name", NO_TOPICS)
def test_no_topic_names(name: str) -> None:
    assert not is_topic_name(name)


@pytest.mark.parametrize("name", TYPES)
def test_type_names(name: str) -> None:
    assert is_type_name(name)


@pytest.mark.parametrize("name", [*NO_TYPES, *MORE])
def test_no_type_names(name: str) -> None:
    assert not is_type_name(name)
