"""Every page tells what the ledger holds, and links to what belongs to it."""

from __future__ import annotations

import re
from dataclasses import replace
from itertools import pairwise
from typing import TYPE_CHECKING

import pytest

from bigchaindb import cryptoconditions as cc
from bigchaindb.model.building import create_transaction
from bigchaindb.node import view
from bigchaindb.node.effects import effects
from bigchaindb.storage.records import VoteRow
from bigchaindb.web.explorer import holdings, pages, records
from tests.ledgers import Ledger, key, lock_with, public, ref, row
from tests.web.explorer.site import Site

if TYPE_CHECKING:
    from bigchaindb.model.transaction import Transaction

ALICE, BOB, CAROL = key("alice"), key("bob"), key("carol")


@pytest.fixture
def ledger() -> Ledger:
    return Ledger()


@pytest.fixture
def site(ledger: Ledger) -> Site:
    return Site(ledger)


def name(owner: str) -> str:
    return public(key(owner))[0]


def passed_on(ledger: Ledger, *owners: str) -> list[Transaction]:
    """An asset that goes from hand to hand, a minute in each."""
    chain = [ledger.settle(ledger.create(key(owners[0]), {"kind": "car"}))]
    for before, after in pairwise(owners):
        ledger.clock.now += 60
        chain.append(ledger.settle(ledger.transfer(ref(chain[-1]), key(before), key(after))))
    return chain


# --- the front page ----------------------------------------------------------------------------------------


def test_a_new_ledger_is_shown_as_one(site: Site) -> None:
    page = site.page("")
    assert "nothing has been decided yet" in page.text
    assert "No block has been built since the first" in page.text
    assert "No transaction was decided in this time" in page.text


def test_a_chart_has_a_scale_as_soon_as_there_is_something_to_measure(ledger: Ledger, site: Site) -> None:
    scale = ("span", "class", "top")
    assert scale not in site.page("").attributes
    ledger.settle(ledger.create(ALICE))
    assert scale in Site(ledger).page("").attributes


def test_the_front_page_counts_and_shows_what_is_newest(ledger: Ledger, site: Site) -> None:
    chain = passed_on(ledger, "alice", "bob", "carol")
    ledger.write(ledger.create(ALICE, {"waiting": True}))
    page = site.page("")
    assert "3 valid transactions in 3 blocks decided by 1 node." in page.text
    assert "Waiting 1" in page.text
    assert "In the last minute 2" in page.text
    assert [link for link in page.links if "/transactions/" in link] == [
        f"/explorer/transactions/{transaction.id}" for transaction in reversed(chain)
    ]
    assert f"/explorer/blocks/{ledger.home(chain[2]).id}" in page.links
    assert f"/explorer/owners/{name('carol')}" in page.links
    assert "1 yes" in page.text


@pytest.mark.parametrize(
    ("window", "title"), [("10m", "10 minutes"), ("1h", "hour"), ("1d", "day"), ("x", "10 minutes")]
)
def test_throughput_is_told_in_numbers_too(ledger: Ledger, site: Site, window: str, title: str) -> None:
    for seconds in (0, 100, 100):
        ledger.clock.now += seconds
        ledger.settle(ledger.create(ALICE, {"at": ledger.clock.now}))
    page = site.page("", window=window)
    assert f"3 valid transactions in the last {title}" in page.text
    assert f"Valid transactions over the last {title}" in page.text
    assert ("svg", "aria-hidden", "true") in page.attributes


def test_votes_are_shown_per_node_and_what_is_undecided_first() -> None:
    ledger = Ledger(3)
    asset = ledger.settle(ledger.create(ALICE))
    for member in ledger.members[1:]:
        member.stop()
    ledger.write(ledger.create(BOB))
    ledger.run(60)
    text = Site(ledger).page("").text
    newest = text[text.index("Newest blocks") :]
    assert newest.index("1 yes, 2 silent undecided") < newest.index("2 yes, 1 silent")
    assert ledger.home(asset).id in newest


def test_the_front_page_is_made_once_in_a_moment_however_many_watch(ledger: Ledger, site: Site) -> None:
    before = site.ask("")
    assert 'data-since="0"' in before.text
    ledger.settle(ledger.create(ALICE))
    assert site.ask("").text == before.text
    assert 'data-since="1"' in site.ask("", window="1h").text


def test_it_is_made_anew_after_that(ledger: Ledger, site: Site, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(pages, "_FRESH_SECONDS", -1.0)
    assert 'data-since="0"' in site.ask("").text
    ledger.settle(ledger.create(ALICE))
    assert 'data-since="1"' in site.ask("").text


# --- blocks ------------------------------------------------------------------------------------------------


def test_blocks_are_listed_in_parts(ledger: Ledger, site: Site, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(pages, "_BLOCKS", 2)
    for number in range(5):
        ledger.settle(ledger.create(ALICE, {"number": number}))
    page, seen = site.page("blocks"), []
    for _ in range(3):
        seen += [link.rpartition("/")[2] for link in page.links if link.startswith("/explorer/blocks/")][:2]
        more = [link for link in page.links if "before=" in link]
        page = site.page(more[0]) if more else page
    assert not more
    assert [block_id for block_id in seen if block_id != ledger.id] == [block.id for block in reversed(ledger.blocks())]


def test_a_list_without_blocks_leads_to_the_first(ledger: Ledger, site: Site) -> None:
    assert f"/explorer/blocks/{ledger.id}" in site.page("blocks").links
    assert "No block was decided before these" in site.page("blocks", before=1).text


def test_a_block_tells_votes_transactions_and_neighbours() -> None:
    ledger = Ledger(3)
    one, two, three = (ledger.settle(ledger.create(ALICE, {"number": number})) for number in range(3))
    home = ledger.home(two)
    page = Site(ledger).page(f"blocks/{home.id}")
    assert page.text.count("Decided before") == page.text.count("Decided after") == 1
    assert f"/explorer/blocks/{ledger.home(one).id}" in page.links
    assert f"/explorer/blocks/{ledger.home(three).id}" in page.links
    assert f"/explorer/transactions/{two.id}" in page.links
    assert {f"/explorer/owners/{member}" for member in ledger.federation} <= set(page.links)
    assert home.header.transactions_root in page.text


def test_the_first_block_and_its_transaction_are_shown(ledger: Ledger, site: Site) -> None:
    page = site.page(f"blocks/{ledger.id}")
    assert "Nobody votes on the first block" in page.text
    txid = ledger.genesis.transaction.id
    assert f"/explorer/transactions/{txid}" in page.links
    assert "Genesis valid" in site.page(f"transactions/{txid}").text


def test_a_no_is_told_with_its_reason() -> None:
    ledger = Ledger(3)
    asset = ledger.settle(ledger.create(ALICE))
    home = ledger.home(asset)
    silent = next(member for member in ledger.members if member.vote_on(home) is None)
    vote = ledger.vote(home, silent, reason="I do not like it <b>")
    ledger.first.storage.place_votes([VoteRow(home.id, silent.me, vote.text)])
    assert "invalid I do not like it <b>" in Site(ledger).page(f"blocks/{home.id}").text


def test_a_large_block_is_shown_in_parts(ledger: Ledger, site: Site, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(records, "_TRANSACTIONS", 3)
    transactions = [ledger.create(ALICE, {"number": number}) for number in range(5)]
    ledger.write(*transactions)
    ledger.run()
    url = f"blocks/{ledger.home(transactions[0]).id}"
    first = site.page(url)
    (more,) = [link for link in first.links if "from=" in link]
    rest = site.page(more)
    assert not [link for link in rest.links if "from=" in link]
    shown = [link for page in (first, rest) for link in page.links if "/transactions/" in link]
    assert shown == [f"/explorer/transactions/{transaction.id}" for transaction in transactions]
    assert "no more transactions" in site.page(url, **{"from": 5}).text


def test_a_block_whose_contents_are_gone_says_so(ledger: Ledger, site: Site) -> None:
    asset = ledger.settle(ledger.create(ALICE))
    del ledger.database.contents.transactions[asset.hash]
    assert "does not hold what adds up" in site.page(f"blocks/{ledger.home(asset).id}").text


def test_a_block_of_a_stranger_is_left_aside(ledger: Ledger, site: Site) -> None:
    asset = ledger.create(ALICE)
    block = ledger.block(asset, voters=[*ledger.federation, name("stranger")])
    ledger.put(block, asset)
    ledger.run()
    assert "leaves it aside" in site.page(f"blocks/{block.id}").text


def test_what_is_no_transaction_in_a_block_is_shown_as_that(ledger: Ledger, site: Site) -> None:
    asset = ledger.create(ALICE)
    junk = replace(ledger.create(BOB), text='{"junk":"<b>"}')
    block = ledger.block(asset, junk)
    ledger.put(block, asset, junk)
    page = site.page(f"blocks/{block.id}")
    assert f"/explorer/transactions/{asset.id}" in page.links
    assert f"{junk.hash} is no transaction" in page.text


# --- transactions ------------------------------------------------------------------------------------------


def test_a_transaction_tells_where_it_stands_what_it_spends_and_who_spends_it(ledger: Ledger, site: Site) -> None:
    one, two, three = passed_on(ledger, "alice", "bob", "carol")
    page = site.page(f"transactions/{two.id}")
    assert "Transfer valid" in page.text
    assert {
        f"/explorer/blocks/{ledger.home(two).id}",
        f"/explorer/transactions/{one.id}",
        f"/explorer/transactions/{three.id}",
        f"/explorer/owners/{name('alice')}",
        f"/explorer/owners/{name('bob')}",
        f"/explorer/assets/{one.id}",
        f"/api/v1/transactions/{two.id}",
    } <= set(page.links)
    assert f"spent by {three.id}" in page.text
    assert "unspent" in site.page(f"transactions/{three.id}").text


def test_what_is_under_way_is_told_as_that(ledger: Ledger, site: Site) -> None:
    (asset,) = passed_on(ledger, "alice")
    spend = ledger.transfer(ref(asset), ALICE, BOB)
    ledger.write(spend)
    assert f"about to be spent by {spend.id}" in site.page(f"transactions/{asset.id}").text
    assert "Transfer backlog" in site.page(f"transactions/{spend.id}").text
    ledger.first.builder.step()
    page = site.page(f"transactions/{spend.id}")
    assert "Transfer undecided" in page.text
    assert f"/explorer/blocks/{ledger.home(spend).id}" in page.links


def test_a_rejection_is_told_with_its_reason_and_evidence(ledger: Ledger, site: Site) -> None:
    (asset,) = passed_on(ledger, "alice")
    rivals = [ledger.transfer(ref(asset), ALICE, owner) for owner in (BOB, CAROL)]
    ledger.first.storage.append_backlog([row(t) for t in rivals], ledger.clock.now)
    ledger.run()
    winner, loser = sorted(rivals, key=lambda t: t.id)
    page = site.page(f"transactions/{loser.id}")
    assert "Transfer rejected" in page.text
    assert ledger.first.reason(loser) in page.text
    assert f"was already spent by {winner.id}" in page.text
    assert {f"/explorer/transactions/{txid}" for txid in (winner.id, asset.id)} <= set(page.links)
    assert page.text.count(winner.id) == 1
    assert "Whoever spends it needs" not in page.text


def test_a_condition_is_drawn_and_told_in_words(ledger: Ledger, site: Site) -> None:
    lock = cc.ThresholdSha256Fulfillment(2)
    for owner in ("alice", "bob"):
        lock.add_subfulfillment(cc.Ed25519Fulfillment(name(owner)))
    lock.add_subcondition(cc.PreimageSha256Fulfillment("secret").condition)
    node = ledger.first.key
    unsigned = create_transaction(
        public(node), public([ALICE, BOB]), [], "CREATE", payload=None, timestamp=ledger.clock.timestamp
    )
    made = ledger.sign(lock_with(unsigned, {"uri": lock.condition_uri, "details": lock.to_json()}), node)
    ledger.settle(made)
    page = site.page(f"transactions/{made.id}")
    assert page.tags.count("rect") > 8
    assert f"2 of these 3: a signature by {name('alice')}" in page.text
    assert "the secret whose SHA-256 is" in page.text
    assert lock.condition_uri in page.text


def test_one_signature_is_told_in_words_alone(ledger: Ledger, site: Site) -> None:
    (asset,) = passed_on(ledger, "alice")
    page = site.page(f"transactions/{asset.id}")
    assert f"Whoever spends it needs a signature by {name('alice')}" in page.text
    assert "tree wide" not in [value for _, _, value in page.attributes]


def test_a_hash_lock_without_owners_is_shown(ledger: Ledger, site: Site) -> None:
    node = ledger.first.key
    unsigned = create_transaction(
        public(node), public(ALICE), [], "CREATE", payload=None, timestamp=ledger.clock.timestamp
    )
    unsigned["transaction"]["conditions"][0]["new_owners"] = None
    lock = cc.PreimageSha256Fulfillment("secret").condition
    made = ledger.settle(ledger.sign(lock_with(unsigned, {"uri": lock.serialize_uri()}), node))
    assert "to whoever fulfils the condition" in site.page(f"transactions/{made.id}").text
    assert "whoever fulfils the condition" in site.page(f"assets/{made.id}").text
    assert "a condition" in site.page("").text


def test_many_outputs_are_shown_in_parts(ledger: Ledger, site: Site, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(records, "_STEPS", 2)
    assets = [ledger.create(ALICE, {"number": number}) for number in range(3)]
    ledger.write(*assets)
    ledger.run()
    both = ledger.settle(ledger.transfer([ref(asset) for asset in assets], ALICE, BOB))
    first = site.page(f"transactions/{both.id}")
    (more,) = [link for link in first.links if "from=" in link]
    rest = site.page(more)
    assert first.text.count("Whoever spends it needs") == 2
    assert rest.text.count("Whoever spends it needs") == 1
    assert f"/explorer/assets/{assets[2].id}" in rest.links
    assert "no more outputs" in site.page(f"transactions/{both.id}", **{"from": 3}).text


def test_owners_for_whom_there_is_no_room_are_counted(ledger: Ledger, site: Site) -> None:
    crowd = [key(f"owner {number}") for number in range(11)]
    asset = ledger.settle(ledger.create(crowd, {"kind": "car"}))
    spend = ledger.settle(ledger.transfer(ref(asset), crowd, BOB))
    for path in (f"assets/{asset.id}", f"transactions/{asset.id}", f"transactions/{spend.id}"):
        assert "and 3 more" in site.page(path).text
        assert site.ask(path).text.count("</a>, <a") == 7
    for path in ("", f"blocks/{ledger.home(asset).id}", f"payloads/{asset.payload_hash}"):
        assert "and others" in site.page(path).text


def test_an_input_that_nobody_stored_is_told_as_that(
    ledger: Ledger, site: Site, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(view, "_REMEMBERED_BYTES", 0)
    asset = ledger.create(ALICE)
    ledger.first.storage.append_backlog([row(asset)], 0.0)
    spend = ledger.transfer(ref(asset), ALICE, BOB)
    ledger.first.storage.append_backlog([row(spend)], 0.0)
    ledger.database.contents.texts.pop(asset.id)
    assert "which is not stored here" in site.page(f"transactions/{spend.id}").text


def test_the_payload_is_shown_and_found_by_its_hash(ledger: Ledger, site: Site) -> None:
    twins = [ledger.settle(ledger.create(owner, {"name": "Ännchen"})) for owner in (ALICE, BOB)]
    page = site.page(f"transactions/{twins[0].id}")
    assert '{ "name": "Ännchen" }' in page.text
    (payload,) = [link for link in page.links if "/payloads/" in link]
    found = site.page(payload)
    assert '{ "name": "Ännchen" }' in found.text
    assert '{ "name": "Ännchen" }' in site.page(f"assets/{twins[0].id}").text
    assert [link for link in found.links if "/transactions/" in link] == [
        f"/explorer/transactions/{twin.id}" for twin in twins
    ]


@pytest.mark.parametrize("is_built", [False, True])
def test_no_link_of_what_is_not_valid_yet_leads_nowhere(ledger: Ledger, site: Site, is_built: bool) -> None:
    asset = ledger.create(ALICE, {"kind": "car"})
    ledger.write(asset)
    if is_built:
        ledger.first.builder.step()
    page = site.page(f"transactions/{asset.id}")
    assert str(asset.payload_hash) in page.text
    for link in page.links:
        if link.startswith("/explorer/"):
            site.page(link)
    site.page(f"payloads/{asset.payload_hash}", 404)


def test_a_payload_that_only_others_have_found_valid_is_in_a_list_of_none(ledger: Ledger, site: Site) -> None:
    asset = ledger.create(ALICE, {"kind": "car"})
    ledger.first.storage.settle(effects(ledger.first.node, [asset]))
    assert "None that this node has decided yet" in site.page(f"payloads/{asset.payload_hash}").text


def test_payloads_are_listed_in_parts(ledger: Ledger, site: Site, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(holdings, "_PAGE", 2)
    twins = [ledger.settle(ledger.create(key(f"owner {number}"), {"same": True})) for number in range(3)]
    first = site.page(f"payloads/{twins[0].payload_hash}")
    (more,) = [link for link in first.links if "after=" in link]
    assert f"/explorer/transactions/{twins[2].id}" in site.page(more).links


# --- owners ------------------------------------------------------------------------------------------------


def test_an_owner_has_holdings_and_a_history(ledger: Ledger, site: Site) -> None:
    one, two = passed_on(ledger, "alice", "bob")
    shared = ledger.settle(ledger.create([ALICE, BOB, CAROL]))
    kept = site.page(f"owners/{name('alice')}")
    assert f"/explorer/transactions/{shared.id}" in kept.links
    assert "held, with 2 others" in kept.text
    assert f"/explorer/transactions/{one.id}" not in kept.links
    history = site.page(f"owners/{name('alice')}", show="history")
    assert {f"/explorer/transactions/{txid}" for txid in (one.id, two.id, shared.id)} <= set(history.links)
    bob = site.page(f"owners/{name('bob')}")
    assert f"/explorer/assets/{one.id}" in bob.links


def test_a_time_of_another_day_is_told_with_its_day(ledger: Ledger, site: Site) -> None:
    ledger.settle(ledger.create(ALICE))
    paths = ("blocks", f"owners/{name('alice')}")
    assert not [path for path in paths if "14 Nov 2023, 22:13:20" in site.page(path).text]
    ledger.clock.now += 86_400
    assert [path for path in paths if "14 Nov 2023, 22:13:20" in site.page(path).text] == [*paths]


def test_an_asset_is_known_by_what_it_began_with(ledger: Ledger, site: Site) -> None:
    chain = passed_on(ledger, "alice", "bob")
    ledger.settle(ledger.create(BOB, {"long": "x" * 1_000}), ledger.create(BOB, {"longer": "x" * 100_000}))
    page = site.page(f"owners/{name('bob')}")
    assert f'{chain[0].id} {{"kind":"car"}}' in page.text
    assert '{"long":"xxx' in page.text
    assert "longer" not in page.text
    assert "x" * 100 not in page.text


def test_what_is_about_to_go_is_told(ledger: Ledger, site: Site) -> None:
    (asset,) = passed_on(ledger, "alice")
    spend = ledger.transfer(ref(asset), ALICE, BOB)
    ledger.write(spend)
    assert f"about to go with {spend.id}" in site.page(f"owners/{name('alice')}").text


def test_who_owns_nothing_has_a_page_that_says_so(site: Site) -> None:
    assert "owns nothing in this ledger at present" in site.page(f"owners/{name('alice')}").text
    assert "never owned anything" in site.page(f"owners/{name('alice')}", show="history").text


@pytest.mark.parametrize("show", ["", "?show=history"])
def test_holdings_are_listed_in_parts(ledger: Ledger, site: Site, monkeypatch: pytest.MonkeyPatch, show: str) -> None:
    monkeypatch.setattr(holdings, "_PAGE", 2)
    assets = [ledger.settle(ledger.create(ALICE, {"number": number})) for number in range(4)]
    page, seen = site.page(f"owners/{name('alice')}{show}"), []
    for is_last in (False, True):
        seen += [link.rpartition("/")[2] for link in page.links if "/assets/" in link]
        more = [link for link in page.links if "after=" in link]
        assert bool(more) is not is_last
        page = site.page(more[0]) if more else page
    assert seen == [asset.id for asset in assets]


def test_an_index_that_names_the_wrong_owner_is_not_believed(ledger: Ledger, site: Site) -> None:
    asset = ledger.settle(ledger.create(ALICE))
    contents = ledger.database.contents
    contents.holdings[name("bob")] = dict(contents.holdings[name("alice")])
    assert asset.id not in site.page(f"owners/{name('bob')}").text
    contents.holdings[name("alice")][ref(asset, 7)] = 10**6  # an output that there is not
    assert site.page(f"owners/{name('alice')}").text.count("output") == 1


# --- assets ------------------------------------------------------------------------------------------------


def test_an_asset_shows_its_owners_in_order_and_how_long_they_had_it(ledger: Ledger, site: Site) -> None:
    chain = passed_on(ledger, "alice", "bob", "alice")
    page = site.page(f"assets/{chain[0].id}")
    owners = [link for link in page.links if "/owners/" in link]
    assert owners[1:] == [f"/explorer/owners/{name(owner)}" for owner in ("alice", "bob", "alice")]
    assert page.text.count("held 1 min") == 2
    assert page.text.count(" now ") == 2  # where the bar ends, and beside who has it
    looks = [value for tag, name_, value in page.attributes if tag == "rect" and name_ == "class"]
    assert looks[3:] == ["span tone-0", "span tone-1", "span tone-0"]


def test_a_long_chain_of_owners_is_shown_in_parts(ledger: Ledger, site: Site, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(holdings, "_PAGE", 2)
    chain = passed_on(ledger, "alice", "bob", "carol", "alice")  # two full pages
    first = site.page(f"assets/{chain[0].id}")
    assert "The first part of its life" in first.text
    (more,) = [link for link in first.links if "after=" in link]
    rest = site.page(more)
    assert f"/explorer/transactions/{chain[3].id}" in rest.links
    assert "A later part of its life" in rest.text
    assert not [link for link in rest.links if link.count("after=")]


@pytest.mark.parametrize("step", [1, 2, 3])
def test_an_index_that_joins_what_does_not_belong_together_is_not_believed(
    ledger: Ledger, site: Site, step: int
) -> None:
    chain = passed_on(ledger, "alice", "bob", "carol")
    other = passed_on(ledger, "carol", "dave")
    ledger.database.contents.lines[chain[0].id, step] = ref(other[1])
    page = site.page(f"assets/{chain[0].id}")
    assert f"/explorer/owners/{name('dave')}" not in page.links
    assert page.text.count(" held ") == step - 1


def test_only_what_an_asset_began_with_names_it(ledger: Ledger, site: Site) -> None:
    chain = passed_on(ledger, "alice", "bob")
    assert "knows no asset" in site.page(f"assets/{chain[1].id}", 404).text


# --- the federation ----------------------------------------------------------------------------------------


def test_the_federation_shows_each_node_its_last_vote_and_its_lag() -> None:
    ledger = Ledger(3)
    ledger.settle(ledger.create(ALICE))
    away = ledger.members[2]
    away.stop()
    ledger.clock.now += 60
    last = [ledger.settle(ledger.create(ALICE, {"number": number})) for number in range(2)]
    page = Site(ledger).page("federation")
    assert "3 nodes decide by majority: it takes 2 of them" in page.text
    assert set(ledger.federation) <= set(page.ids)
    assert f"/explorer/blocks/{ledger.home(last[-1]).id}" in page.links
    mine, others = page.text[page.text.index("Nodes") :], page.text[page.text.index(away.me) :]
    assert "Lag none" in mine
    assert any(words in others for words in ("Lag 2 blocks", "Lag more than 3 blocks"))
    votes = [value for _, name_, value in page.attributes if name_ == "aria-label" and value.startswith("Votes")]
    assert votes[0] == "Votes: 3 yes"
    assert len(votes) == 3


def test_a_node_that_lags_far_behind_stands_out_and_looks_like_the_legend() -> None:
    ledger = Ledger(3)
    ledger.settle(ledger.create(ALICE))
    away = ledger.members[2]
    away.stop()
    ledger.settle(*[ledger.create(ALICE, {"number": number}) for number in range(6)])
    html = Site(ledger).ask("federation").text
    others, _, late = html.partition(f'id="{away.me}"')
    assert 'class="state wait"' not in others
    assert 'class="state wait"' in late
    assert late.count('class="mark silent"') >= 6
    assert others.count('class="mark yes"') > 6


def test_a_federation_of_one_that_has_not_begun_is_shown(site: Site) -> None:
    page = site.page("federation")
    assert "One node decides alone" in page.text
    assert "none yet" in page.text


def test_who_was_no_voter_then_does_not_lag(ledger: Ledger) -> None:
    asset = ledger.settle(ledger.create(ALICE))
    history = [ledger.federation, sorted([*ledger.federation, name("newcomer")])]
    ledger.first.adopt(history)
    page = Site(ledger).page("federation")
    assert "Earlier federations 1" in page.text
    assert "Votes: 1 outside" in [value for _, name_, value in page.attributes if name_ == "aria-label"]
    assert asset.id not in page.text


def test_who_may_not_vote_on_what_a_removed_member_builds_does_not_lag() -> None:
    ledger = Ledger(3)
    ledger.settle(ledger.create(ALICE))
    *staying, removed = ledger.members
    removed.stop()
    for member in staying:
        member.adopt([ledger.federation, sorted(member.me for member in staying)])
    site = Site(ledger)
    before = re.findall("Lag .*? Decided", site.page("federation").text)
    ledger.put_block(ledger.create(ALICE, {"number": 1}), by=removed)
    ledger.run()
    page = site.page("federation")
    assert "Votes on the newest 2 blocks" in page.text
    assert "Lag none Decided" in before
    assert re.findall("Lag .*? Decided", page.text) == before


def test_misdeeds_are_told() -> None:
    ledger = Ledger(3)
    asset = ledger.settle(ledger.create(ALICE))
    home = ledger.home(asset)
    liar = next(member for member in ledger.members[1:] if member.vote_on(home))
    second = ledger.vote(home, liar, reason="on second thoughts")
    ledger.first.storage.keep_evidence([VoteRow(home.id, liar.me, second.text)])
    assert "two different votes on a block" in Site(ledger).page("federation").text
