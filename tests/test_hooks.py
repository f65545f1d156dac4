"""Call-backs that run when something ends."""

import threading
import weakref
from functools import partial

from hypothesis import given
from hypothesis import strategies as st

from solara_ctx.hooks import HookStack
from tests.support.fakes import PATIENCE_S


class Hook:
    """A hook that can be held weakly."""

    def __call__(self) -> None:
        pass


def test_the_last_registered_comes_first() -> None:
    """A stack: what was set up last is taken down first."""
    stack = HookStack()
    hooks = [Hook(), Hook(), Hook()]
    for hook in hooks:
        stack.add(hook)
    assert [stack.pop(), stack.pop(), stack.pop(), stack.pop()] == [*reversed(hooks), None]


def test_a_hook_may_be_added_while_the_stack_is_emptied() -> None:
    """It is the next one; the stack is not done before it has run."""
    stack, first, late = HookStack(), Hook(), Hook()
    stack.add(first)
    assert stack.pop() is first
    assert stack.add(late) is not None
    assert stack.pop() is late
    assert stack.pop() is None


def test_an_emptied_stack_takes_no_more() -> None:
    """Who comes too late is told, and has to run the hook."""
    stack = HookStack()
    assert stack.pop() is None
    assert stack.add(Hook()) is None
    assert len(stack) == 0


def test_one_registration_is_removed_not_the_function() -> None:
    """The same hook registered twice runs once when one of the two was taken off, however often that is asked."""
    stack, hook, other = HookStack(), Hook(), Hook()
    unregister = stack.add(hook)
    stack.add(other)
    stack.add(hook)
    assert unregister is not None
    unregister()
    unregister()
    assert len(stack) == 2
    assert [stack.pop(), stack.pop(), stack.pop()] == [hook, other, None]


def test_unregistering_after_the_end_is_harmless() -> None:
    """Whether the hook has run, or the stack is gone."""
    stack = HookStack()
    unregister = stack.add(Hook())
    assert unregister is not None
    stack.pop()
    unregister()
    del stack
    unregister()


def test_unregister_keeps_nothing_alive() -> None:
    """Who keeps the way to take a hook off keeps neither the hook nor the stack."""
    stack, hook = HookStack(), Hook()
    unregister = stack.add(hook)
    gone = weakref.ref(hook), weakref.ref(stack)
    del hook, stack
    assert [reference() for reference in gone] == [None, None]
    assert unregister is not None
    unregister()


def test_a_hook_that_was_taken_off_is_let_go() -> None:
    """The stack does not keep it either."""
    stack, hook = HookStack(), Hook()
    gone = weakref.ref(hook)
    unregister = stack.add(hook)
    del hook
    assert gone() is not None
    assert unregister is not None
    unregister()
    assert gone() is None


@given(st.lists(st.one_of(st.just("add"), st.just("pop"), st.integers(min_value=0, max_value=20)), max_size=60))
def test_any_history_is_that_of_a_list(history: list[str | int]) -> None:
    """Adding, popping and taking off behave as with a plain list that ends with its first empty pop."""
    stack, model, sealed = HookStack(), list[Hook](), False
    registered = []
    for step in history:
        if step == "add":
            hook = Hook()
            unregister = stack.add(hook)
            assert (unregister is None) is sealed
            if unregister is not None:
                model.append(hook)
                registered.append((hook, unregister))
        elif step == "pop":
            sealed = sealed or not model
            assert stack.pop() is (model.pop() if model else None)
        elif isinstance(step, int) and step < len(registered):
            hook, unregister = registered[step]
            unregister()
            if hook in model:
                model.remove(hook)
        assert len(stack) == len(model)


def test_no_hook_is_lost_between_threads() -> None:
    """Every hook is either popped, or refused to who added it; none is both, none is neither."""
    for _time in range(20):
        stack = HookStack()
        refused: list[int] = []
        popped: list[int] = []
        together = threading.Barrier(2)

        def add(stack: HookStack = stack, refused: list[int] = refused, together: threading.Barrier = together) -> None:
            together.wait(PATIENCE_S)
            refused.extend(number for number in range(100) if stack.add(partial(int, number)) is None)

        adder = threading.Thread(target=add)
        adder.start()
        together.wait(PATIENCE_S)
        while (hook := stack.pop()) is not None:
            popped.append(hook())  # type: ignore[arg-type]
        adder.join(PATIENCE_S)
        assert sorted(popped + refused) == list(range(100))
