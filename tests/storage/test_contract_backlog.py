"""What every backend promises of transactions and of the backlog."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from bigchaindb.exceptions import InvalidValue
from bigchaindb.model.reference import OutputRef
from bigchaindb.storage.records import TextRef
from tests.storage.make import digest, output, ref, stored, transaction

if TYPE_CHECKING:
    from bigchaindb.storage.interface import Storage

MANY = 2_345


def waiting_names(storage: Storage, after: str | None = None, limit: int = 100) -> list[str]:
    names = {digest(name): name for name in "abcdefgh"}
    return [names[entry.text.id] for entry in storage.backlog(after, limit)]


# --- backlog -----------------------------------------------------------------------------------------------


def test_transactions_wait_in_the_order_in_which_they_came(storage: Storage) -> None:
    storage.append_backlog([transaction("c"), transaction("a")], 1.5)
    storage.append_backlog([transaction("b")], 0.5)
    entries = storage.backlog(None, 10)
    assert [entry.text for entry in entries] == [ref(transaction(name)) for name in "cab"]
    assert [entry.received_at for entry in entries] == [1.5, 1.5, 0.5]
    assert storage.backlog_size() == 3


def test_a_text_comes_back_byte_for_byte(storage: Storage) -> None:
    new = transaction("a", text="\x00 \x7f é 漢 🂡 \\ ' \n", tag=bytes(range(256)))
    storage.append_backlog([new], 1.0)
    assert storage.contents([ref(new)]) == {new.hash: stored(new)}
    assert storage.waiting([new.id]) == {new.id: [stored(new)]}


def test_an_entry_tells_by_which_id_it_is_assigned(storage: Storage) -> None:
    spender = transaction("b", spends=[output("c"), output("d")])
    storage.append_backlog([transaction("a"), spender], 1.0)
    for id_, entry in zip([digest("a"), digest("c")], storage.backlog(None, 9), strict=True):
        assert entry.assigning == id_[:16]
    # As short as an id may be that a liar writes down, and whatever it says.
    odd = [transaction(f"odd {each}", spends=[OutputRef(each, 0)]) for each in ("", "x", "a b", "é:/", "0" * 16 + "x")]
    storage.append_backlog(odd, 2.0)
    assert [entry.assigning for entry in storage.backlog(None, 9)[2:]] == ["", "x", "a b", "é:/", "0" * 16]
    storage.drop_backlog(ids=[each.id for each in odd], texts=[ref(spender)])
    assert [entry.text for entry in storage.backlog(None, 9)] == [ref(transaction("a"))]


def test_a_text_that_waits_already_stays_where_it_is(storage: Storage) -> None:
    storage.append_backlog([transaction("a"), transaction("b"), transaction("a")], 1.0)
    storage.append_backlog([transaction("c"), transaction("a")], 2.0)
    assert waiting_names(storage) == ["a", "b", "c"]
    assert [entry.received_at for entry in storage.backlog(None, 10)] == [1.0, 1.0, 2.0]
    assert storage.backlog_size() == 3


def test_two_texts_of_one_transaction_both_wait(storage: Storage) -> None:
    junk, honest = transaction("a", text="junk"), transaction("a", text="honest")
    storage.append_backlog([junk], 1.0)
    storage.append_backlog([transaction("b"), honest], 2.0)
    assert storage.waiting([junk.id]) == {junk.id: [stored(junk), stored(honest)]}
    assert waiting_names(storage) == ["a", "b", "a"]


def test_waiting_tells_only_of_what_waits(storage: Storage) -> None:
    storage.append_backlog([transaction("a"), transaction("b")], 1.0)
    storage.drop_backlog(ids=[digest("b")])
    wanted = [digest("a"), digest("b"), digest("a"), "nonsense"]
    assert storage.waiting(wanted) == {digest("a"): [stored(transaction("a"))]}
    assert storage.waiting([]) == {}


def test_the_backlog_is_read_on_behind_a_cursor(storage: Storage) -> None:
    storage.append_backlog([transaction(name) for name in "abcde"], 1.0)
    first = storage.backlog(None, 2)
    second = storage.backlog(first[-1].cursor, 2)
    assert [entry.text.id for entry in first + second] == [digest(name) for name in "abcd"]
    assert waiting_names(storage, second[-1].cursor) == ["e"]
    cursors = [entry.cursor for entry in storage.backlog(None, 10)]
    assert cursors == sorted(set(cursors))


def test_a_reader_of_the_backlog_misses_nothing_that_comes_after_the_last_was_dropped(storage: Storage) -> None:
    storage.append_backlog([transaction("a"), transaction("b")], 1.0)
    cursor = storage.backlog(None, 10)[-1].cursor
    storage.drop_backlog(ids=[digest("a"), digest("b")])
    storage.append_backlog([transaction("c")], 2.0)
    assert waiting_names(storage, cursor) == ["c"]


@pytest.mark.parametrize("limit", [0, -1])
def test_no_limit_means_no_end(storage: Storage, limit: int) -> None:
    storage.append_backlog([transaction("a")], 1.0)
    assert storage.backlog(None, limit) == []


@pytest.mark.parametrize(
    "cursor", ["", "1", "x" * 16, "-000000000000001", "\N{ARABIC-INDIC DIGIT ZERO}" * 16, "0" * 17]
)
def test_what_is_no_cursor_is_refused(storage: Storage, cursor: str) -> None:
    with pytest.raises(InvalidValue, match="cursor"):
        storage.backlog(cursor, 10)
    with pytest.raises(InvalidValue, match="cursor"):
        storage.with_payload_hash(digest("p"), cursor, 10)
    with pytest.raises(InvalidValue, match="cursor"):
        storage.blocks_after(cursor, 10)
    with pytest.raises(InvalidValue, match="cursor"):
        storage.outputs_of("owner", spent=None, after=cursor, limit=10)
    with pytest.raises(InvalidValue, match="cursor"):
        storage.outputs_of_asset(digest("a"), cursor, 10)


def test_entries_are_dropped_by_id_with_all_their_texts(storage: Storage) -> None:
    storage.append_backlog([transaction("a", text="1"), transaction("a", text="2"), transaction("b")], 1.0)
    storage.drop_backlog(ids=[digest("a")])
    assert waiting_names(storage) == ["b"]
    assert storage.backlog_size() == 1


def test_entries_are_dropped_by_the_hash_of_one_text(storage: Storage) -> None:
    junk, honest = transaction("a", text="junk"), transaction("a", text="honest")
    storage.append_backlog([junk, honest], 1.0)
    storage.drop_backlog(texts=[ref(junk)])
    assert storage.waiting([honest.id]) == {honest.id: [stored(honest)]}
    assert storage.backlog_size() == 1


def test_dropping_is_harmless_for_what_does_not_wait(storage: Storage) -> None:
    storage.append_backlog([transaction("a"), transaction("b")], 1.0)
    storage.drop_backlog()
    storage.drop_backlog(ids=[digest("a"), digest("c"), digest("a")], texts=[ref(transaction("nothing"))])
    storage.drop_backlog(ids=[digest("a")], texts=[ref(transaction("a"))])
    assert waiting_names(storage) == ["b"]
    assert storage.backlog_size() == 1


def test_what_is_dropped_stays_stored_and_may_wait_again(storage: Storage) -> None:
    new = transaction("a", spends=[output("x")])
    storage.append_backlog([new, transaction("b")], 1.0)
    storage.drop_backlog(texts=[ref(new)])
    assert storage.contents([ref(new)]) == {new.hash: stored(new)}
    assert storage.transactions([new.id]) == {new.id: [stored(new)]}
    assert storage.spenders([output("x")]) == {output("x"): [new.id]}
    storage.append_backlog([new], 3.0)
    assert waiting_names(storage) == ["b", "a"]
    assert storage.backlog(None, 10)[-1].received_at == 3.0
    assert storage.spenders([output("x")]) == {output("x"): [new.id]}


def test_many_are_stored_found_and_dropped_in_one_call(storage: Storage) -> None:
    many = [transaction(str(each), spends=[output(str(each), each)]) for each in range(MANY)]
    storage.append_backlog(many, 1.0)
    assert storage.backlog_size() == MANY
    assert [entry.text.id for entry in storage.backlog(None, MANY + 1)] == [each.id for each in many]
    assert storage.contents([ref(each) for each in many]) == {each.hash: stored(each) for each in many}
    assert storage.transactions([each.id for each in many]) == {each.id: [stored(each)] for each in many}
    assert storage.waiting([each.id for each in many]) == {each.id: [stored(each)] for each in many}
    assert storage.spenders([each.spends[0] for each in many]) == {each.spends[0]: [each.id] for each in many}
    storage.drop_backlog(ids=[each.id for each in many[::2]], texts=[ref(each) for each in many[1::2]])
    assert storage.backlog_size() == 0


# --- transactions ------------------------------------------------------------------------------------------


def test_the_same_text_twice_changes_nothing(storage: Storage) -> None:
    storage.append_backlog([transaction("a", tag=b"first")], 1.0)
    storage.append_backlog([transaction("a", tag=b"second")], 2.0)
    assert storage.contents([ref(transaction("a"))])[transaction("a").hash].tag == b"first"
    assert storage.transactions([digest("a")]) == {digest("a"): [stored(transaction("a", tag=b"first"))]}


def test_a_text_is_found_and_dropped_by_hash_and_id(storage: Storage) -> None:
    new = transaction("a")
    storage.append_backlog([new], 1.0)
    false = TextRef(new.hash, digest("b"))
    assert storage.contents([false]) == {}
    storage.drop_backlog(texts=[false])
    assert storage.waiting([new.id]) == {new.id: [stored(new)]}
    assert storage.contents([false, ref(new)]) == {new.hash: stored(new)}


def test_contents_leaves_out_what_is_not_stored(storage: Storage) -> None:
    storage.append_backlog([transaction("a")], 1.0)
    hash_ = transaction("a").hash
    of = ref(transaction("a"))
    odd = [TextRef(digest("a"), of.id), TextRef("", ""), ref(transaction("b"))]
    assert storage.contents([of, of, *odd]) == {hash_: stored(transaction("a"))}
    assert storage.contents([]) == {}


def test_an_id_has_all_its_texts_oldest_first(storage: Storage) -> None:
    texts = [transaction("a", text=str(each)) for each in (3, 1, 2)]
    for each in texts:
        storage.append_backlog([each], 1.0)
    found = storage.transactions([digest("a"), digest("b"), digest("a")])
    assert found == {digest("a"): [stored(each) for each in texts]}
    assert storage.transactions([]) == {}


def test_every_transaction_that_spends_an_output_is_known_whatever_its_fate(storage: Storage) -> None:
    storage.append_backlog([transaction("b", spends=[output("x", 1), output("y")])], 1.0)
    storage.append_backlog([transaction("a", spends=[output("x", 1)]), transaction("c")], 1.0)
    storage.drop_backlog(ids=[digest("b")])
    wanted = [output("x", 1), output("x", 0), output("y"), output("z"), output("x", 1)]
    found = storage.spenders(wanted)
    assert {ref: sorted(ids) for ref, ids in found.items()} == {
        output("x", 1): sorted([digest("a"), digest("b")]),
        output("y"): [digest("b")],
    }
    assert storage.spenders([]) == {}


def test_a_spender_with_two_texts_is_one_spender(storage: Storage) -> None:
    for text in ("1", "2"):
        storage.append_backlog([transaction("a", text=text, spends=[output("x")])], 1.0)
    assert storage.spenders([output("x")]) == {output("x"): [digest("a")]}
