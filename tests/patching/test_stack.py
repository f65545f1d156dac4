"""Patches are applied once, counted, and taken back in reverse."""

import importlib
import logging
import sys
import threading
from types import SimpleNamespace
from typing import Any

import pytest

from solara_ctx import patching
from solara_ctx.patching import Patch, PatchStack


class Base:
    """Has what the other one inherits."""

    @classmethod
    def inherited(cls) -> str:
        return f"upstream of {cls.__name__}"

    @staticmethod
    def static() -> str:
        return "static"


class Child(Base):
    """Inherits."""


def patch(target: Any, attribute: str, **more: Any) -> Patch:
    return Patch(
        target=target,
        attribute=attribute,
        make=more.pop("make", lambda original: f"ours of {original}"),
        why="a test",
        upstream="tests 1",
        **more,
    )


@pytest.fixture
def target() -> SimpleNamespace:
    """Somebody else's module."""
    return SimpleNamespace(a="a", b="b")


def test_the_first_applies_and_the_last_reverts(target: SimpleNamespace) -> None:
    """Two services side by side: the patches stay until both have stopped."""
    stack = PatchStack(lambda: (patch(target, "a"), patch(target, "b")))
    assert vars(target) == {"a": "a", "b": "b"}
    stack.acquire()
    stack.acquire()
    assert vars(target) == {"a": "ours of a", "b": "ours of b"}
    assert (stack.users, len(stack.applied)) == (2, 2)
    stack.release()
    assert vars(target) == {"a": "ours of a", "b": "ours of b"}
    stack.release()
    assert vars(target) == {"a": "a", "b": "b"}
    assert stack.applied == ()
    stack.acquire()
    assert target.a == "ours of a"
    stack.release()
    assert target.a == "a"


def test_one_release_too_many_is_a_bug(target: SimpleNamespace) -> None:
    """It is refused, and changes nothing."""
    stack = PatchStack(lambda: (patch(target, "a"),))
    with pytest.raises(RuntimeError, match="more often"):
        stack.release()
    assert stack.users == 0


def test_the_same_attribute_twice_is_taken_back_in_reverse(target: SimpleNamespace) -> None:
    """What was there first is there in the end."""
    stack = PatchStack(lambda: (patch(target, "a"), patch(target, "a")))
    stack.acquire()
    assert target.a == "ours of ours of a"
    stack.release()
    assert target.a == "a"


def test_what_was_inherited_is_inherited_again() -> None:
    """A class that had no such attribute of its own has none afterwards; descriptors come back as they were."""
    static = vars(Base)["static"]
    stack = PatchStack(
        lambda: (
            patch(Child, "inherited", make=lambda original: classmethod(lambda cls: f"ours of {original()}")),
            patch(Base, "static", make=lambda original: staticmethod(lambda: f"ours of {original()}")),
        )
    )
    stack.acquire()
    assert (Child.inherited(), Base.inherited()) == ("ours of upstream of Child", "upstream of Base")
    assert Base.static() == "ours of static"
    stack.release()
    assert "inherited" not in vars(Child)
    assert vars(Base)["static"] is static


def test_what_others_have_put_there_is_left_alone(target: SimpleNamespace, caplog: pytest.LogCaptureFixture) -> None:
    """Somebody who patched on top of us keeps his patch; the log says so; the rest is reverted."""
    stack = PatchStack(lambda: (patch(target, "a"), patch(target, "b")))
    stack.acquire()
    target.a = "theirs"
    stack.release()
    assert vars(target) == {"a": "theirs", "b": "b"}
    (record,) = caplog.records
    assert record.levelno == logging.WARNING
    assert ".a was replaced by somebody else" in record.getMessage()


def test_what_others_replace_all_the_time_has_its_own_way_back(
    target: SimpleNamespace, caplog: pytest.LogCaptureFixture
) -> None:
    """With `undo` there is no conflict: it makes what is to stand there from what stands there."""
    stack = PatchStack(lambda: (patch(target, "a", undo=lambda current: f"back from {current}"),))
    stack.acquire()
    target.a = "theirs"
    stack.release()
    assert target.a == "back from theirs"
    assert caplog.records == []


def test_all_or_nothing(target: SimpleNamespace) -> None:
    """Where upstream has lost an attribute nothing is patched, and the error names it."""
    stack = PatchStack(lambda: (patch(target, "a"), patch(target, "gone")))
    with pytest.raises(AttributeError, match="gone"):
        stack.acquire()
    assert vars(target) == {"a": "a", "b": "b"}
    assert stack.users == 0


def test_a_class_is_given_what_only_its_instances_have(target: SimpleNamespace) -> None:
    """Upstream's class has no such attribute, and has none again afterwards."""
    stack = PatchStack(lambda: (patch(Child, "theirs", adds=True),))
    stack.acquire()
    assert Child.theirs == "ours of None"  # type: ignore[attr-defined]
    stack.release()
    assert not hasattr(Child, "theirs")


def test_the_class_of_an_object_is_replaced(target: SimpleNamespace) -> None:
    """As of a module whose attributes are to be computed."""
    mine = Base()
    stack = PatchStack(lambda: (patch(mine, "__class__", make=lambda original: type("Ours", (original,), {})),))
    stack.acquire()
    assert type(mine).__name__ == "Ours"
    stack.release()
    assert type(mine) is Base


def late(stack: PatchStack) -> str:
    """Import json.tool anew, which is to be patched; what its main is then."""
    sys.modules.pop("json.tool", None)
    importlib.import_module("json.tool")
    return str(sys.modules["json.tool"].main)


def test_a_module_is_patched_once_it_is_imported() -> None:
    """By whoever imports it; before that nothing imports it, and afterwards it is as it was."""
    sys.modules.pop("json.tool", None)
    stack = PatchStack(lambda: (), {"json.tool": lambda module: (patch(module, "main"),)})
    stack.acquire()
    stack.acquire()
    assert "json.tool" not in sys.modules
    assert late(stack).startswith("ours of <function main")
    assert [str(record) for record in stack.applied] == ["json.tool.main"]
    stack.release()
    assert sys.modules["json.tool"].main.startswith("ours of")
    stack.release()
    assert callable(sys.modules["json.tool"].main)
    assert late(stack).startswith("<function main")


def test_a_module_that_is_there_already_is_patched_with_the_others() -> None:
    """Each time that a service starts."""
    importlib.import_module("json.tool")
    stack = PatchStack(lambda: (), {"json.tool": lambda module: (patch(module, "main"),)})
    for _ in range(2):
        stack.acquire()
        stack.acquire()
        assert sys.modules["json.tool"].main.startswith("ours of <function main")
        stack.release()
        stack.release()
        assert callable(sys.modules["json.tool"].main)


def test_a_library_that_has_moved_on_is_left_as_it_is(caplog: pytest.LogCaptureFixture) -> None:
    """All of it: the import goes well, the other patches stay, and the log says what is not kept apart."""
    ours = SimpleNamespace(a="a")
    stack = PatchStack(
        lambda: (patch(ours, "a"),),
        {"json.tool": lambda module: (patch(module, "main"), patch(module, "gone"))},
    )
    stack.acquire()
    assert late(stack).startswith("<function main")
    assert ours.a == "ours of a"
    assert "json.tool is not what it was" in caplog.text
    caplog.clear()
    stack.release()
    assert (ours.a, caplog.text) == ("a", "")


def test_many_threads(target: SimpleNamespace) -> None:
    """Services that start and stop at once leave no half-applied patch."""
    stack = PatchStack(lambda: (patch(target, "a"), patch(target, "b")))
    failures: list[object] = []

    def use() -> None:
        for _ in range(200):
            stack.acquire()
            if target.a != "ours of a" or target.b != "ours of b":
                failures.append(vars(target))
            stack.release()

    threads = [threading.Thread(target=use) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert failures == []
    assert vars(target) == {"a": "a", "b": "b"}


def test_every_patch_says_why_and_for_what() -> None:
    """Each record of ours has a reason, the upstream that it was written for, and a name; all come off again."""
    patching.acquire()
    applied = patching.stack.applied
    before = [(patch.target, patch.attribute, own(patch.target, patch.attribute)) for patch in applied]
    patching.release()
    assert len(applied) > 15
    for record in applied:
        assert record.why
        assert any(character.isdigit() for character in record.upstream)
        assert str(record).endswith(record.attribute)
    for owner, attribute, replacement in before:
        assert own(owner, attribute) is not replacement


def own(target: Any, attribute: str) -> object:
    return target.__class__ if attribute == "__class__" else vars(target).get(attribute)
