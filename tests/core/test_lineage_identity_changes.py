"""Identities of contracts that come and go one by one are those of the contracts that are left, made anew."""

from __future__ import annotations

import random
from collections.abc import Mapping

from contracts_svc.lineage.graph import DatasetId
from contracts_svc.lineage.identity import Identities
from contracts_svc.lineage.layered import Layered
from contracts_svc.lineage.near import Sought
from contracts_svc.model import Column, Contract, Server, Table

TABLES = ("orders", "Orders", "lines", "raw", "orders_t", "shop.orders")
SERVERS: tuple[tuple[str, Mapping[str, object]], ...] = (
    ("s3", {"location": "s3://lake/orders/*.parquet"}),
    ("s3", {"location": "s3a://lake/orders"}),
    ("s3", {"location": "s3://lake/raw/{model}/day=*/*.parquet"}),
    ("s3", {"location": "s3://lake/raw"}),
    ("local", {"path": "/data/orders"}),
    ("postgres", {"host": "db", "database": "shop", "schema": "s"}),
    ("postgres", {"host": "DB", "port": 5432, "database": "shop", "schema": "s"}),
    ("postgres", {"host": "other", "database": "shop", "schema": "s"}),
    ("snowflake", {"account": "acme", "database": "SHOP", "schema": "S"}),
    ("glue", {"account": "1", "region": "eu", "database": "shop"}),
    ("trino", {"host": "t", "catalog": "c", "schema": "shop"}),
    ("bigquery", {"project": "p", "dataset": "shop"}),
)
COLUMNS = (Column(name="Id", path="Id"), Column(name="ID2", path="ID2"))
ASKED = [
    *(DatasetId("", name) for name in (*TABLES, "s.orders", "shop.s.orders", "c1", "c2.orders", "C3/raw")),
    DatasetId("", "s3://lake/raw/orders/day=1/part-0.parquet"),
    DatasetId("s3a://lake", "orders/day=1"),
    DatasetId("s3://lake", "raw/orders/deeper"),
    DatasetId("s3://lake", "raw/lines"),
    DatasetId("s3://lake", "raw"),
    DatasetId("s3://other", "orders"),
    DatasetId("file", "/data/orders/x.csv"),
    DatasetId("postgres://db", "shop.s.orders"),
    DatasetId("postgres://", "s.orders"),
    DatasetId("postgres://db:5432", "s.lines"),
    DatasetId("snowflake://", "S.ORDERS"),
    DatasetId("snowflake://acme", "SHOP.S.ORDERS"),
    DatasetId("arn:aws:glue:eu:1", "table/shop/orders"),
    DatasetId("hive://nn", "shop.orders"),
    DatasetId("spark://", "shop.orders"),
    DatasetId("bigquery", "p.shop.orders$20260101"),
    DatasetId("trino://t:8080", "shop.lines"),
]
ALSO: tuple[Mapping[DatasetId, tuple[DatasetId, ...]], ...] = (
    {},
    {DatasetId("s3://lake", "orders"): (DatasetId("arn:aws:glue:eu:1", "table/shop/orders"),)},
    {
        DatasetId("hive://nn", "shop.lines"): (DatasetId("arn:aws:glue:eu:1", "table/shop/lines"),),
        DatasetId("s3://lake", "raw/lines"): (DatasetId("hive://nn", "shop.lines"),),
        DatasetId("postgres://db", "shop.s.orders"): (DatasetId("s3://tmp", "x"),),
    },
)


def some_contract(chance: random.Random, id_: str) -> Contract:
    servers = chance.sample(SERVERS, chance.choice((0, 1, 1, 1, 2, 3)))
    names = chance.sample(TABLES, chance.choice((0, 1, 1, 1, 2, 3)))
    return Contract(
        api_version="v3.1.0",
        id=id_,
        version=f"1.{chance.randrange(1_000_000)}.0",
        servers=tuple(Server(server=f"s{n}", type=t, fields=f) for n, (t, f) in enumerate(servers)),
        tables=tuple(
            Table(
                name=name,
                physical_name=chance.choice((None, None, "orders_t")),
                columns=(chance.choice(COLUMNS),),
            )
            for name in names
        ),
    )


def said(identities: Identities) -> dict[str, object]:
    """All that can be asked of identities."""
    texts = [str(d) for d in ASKED] + ["s3://LAKE/orders", "ordres", "rwa", "c9"]
    return {
        "known": {d: (c.id, c.version, t.name) for d, (c, t) in identities.known.items()},
        "number": len(identities.known),
        "resolved": [identities.resolve(d) for d in ASKED],
        "again": [identities.resolve(identities.resolve(d)) for d in ASKED],
        "described": [identities.contract_of(identities.resolve(d)) for d in ASKED],
        "columns": [identities.column(identities.resolve(d), "ID") for d in ASKED],
        "found": [identities.find(t) for t in texts],
        # What is close may come in any order where two are equally so.
        "suggested": [set(identities.suggest(t)) for t in texts if identities.find(t) is None][:8],
        "unmatched": {u.dataset: set(u.suggestions) for u in identities.unmatched(ASKED)},
        "tables": dict(identities.columns()),
    }


def test_what_came_one_by_one_is_what_is_made_anew() -> None:
    wrong: list[str] = []
    shared = 0
    for seed in range(9):
        chance = random.Random(seed)
        also = ALSO[seed % len(ALSO)]
        there: dict[str, Contract] = {}
        identities = Identities.of(())
        for step in range(20):
            gone = chance.sample(sorted(there), min(len(there), chance.choice((0, 0, 0, 1, 2))))
            come = [
                some_contract(chance, f"c{n}") for n in chance.sample(range(12), chance.choice((0, 1, 1, 3)))
            ]
            for id_ in gone:
                del there[id_]
            there |= {c.id: c for c in come}
            identities = identities.but(gone, come)
            if chance.random() < 0.2:
                also = chance.choice(ALSO)
            identities = identities.linked(also)
            anew = Identities.of([there[id_] for id_ in sorted(there)], also)
            now, wanted = said(identities), said(anew)
            shared += len(anew.known) < sum(len(c.tables) for c in there.values())
            wrong += [f"{seed}/{step}: {k}: {now[k]} != {wanted[k]}" for k in now if now[k] != wanted[k]]
    assert not wrong, "\n".join(wrong[:5])
    # Names that several contracts claim are what is difficult.
    assert shared > 100


def meant(identities: Identities, name: DatasetId) -> object:
    found = identities.contract_of(identities.resolve(name))
    return identities.resolve(name), found and [c.name for c in found[1].columns]


def test_names_that_come_to_mean_something_else_are_near_the_contracts_that_changed() -> None:
    names = [*ASKED, *(d for also in ALSO for name, others in also.items() for d in (name, *others))]
    missed: list[str] = []
    moved = near = looked_at = 0
    for seed in range(300):
        chance = random.Random(seed)
        also = chance.choice(ALSO)
        there = {f"c{n}": some_contract(chance, f"c{n}") for n in range(chance.choice((0, 1, 3, 8)))}
        before = Identities.of(()).but((), there.values()).linked(also)
        come = [some_contract(chance, f"c{n}") for n in chance.sample(range(9), chance.choice((0, 1, 2)))]
        gone = [id_ for id_ in there if chance.random() < 0.15]
        after = before.but(gone, come)
        old = [there[id_] for id_ in {*gone, *(c.id for c in come)} if id_ in there]
        found = after.near([*old, *come])
        for name in names:
            is_near = found.has(Sought.of(name))
            is_moved = meant(before, name) != meant(after, name)
            looked_at, near, moved = looked_at + 1, near + is_near, moved + is_moved
            if is_moved and not is_near:
                missed.append(f"{seed}: {name}: {meant(before, name)} -> {meant(after, name)}")
    assert not missed, "\n".join(missed[:5])
    assert looked_at > near > moved > 500


def test_identities_that_were_changed_stay_as_they_are_for_whoever_has_them() -> None:
    chance = random.Random(7)
    contracts = {f"c{n}": some_contract(chance, f"c{n}") for n in range(12)}
    before = Identities.of(()).but((), contracts.values())
    was = said(Identities.of([contracts[id_] for id_ in sorted(contracts)]))
    after = before.but(list(contracts)[:6], [some_contract(chance, "c3")])
    assert said(before) == was
    assert said(after) != was


def test_a_layered_mapping_is_a_dictionary_that_is_copied_for_every_change() -> None:
    chance = random.Random(1)
    plain: dict[int, int] = {n: n for n in range(500)}
    layered = Layered(dict(plain))
    older = (layered, dict(plain))
    for _ in range(2_000):
        changes = {chance.randrange(800): chance.choice((None, chance.randrange(9))) for _ in range(3)}
        plain |= {k: v for k, v in changes.items() if v is not None}
        for key in [k for k, v in changes.items() if v is None]:
            plain.pop(key, None)
        layered = layered.but(changes)
        assert len(layered) == len(plain)
        probe = chance.randrange(800)
        assert (probe in layered, layered.get(probe)) == (probe in plain, plain.get(probe))
    assert dict(layered) == plain
    assert dict(older[0]) == older[1]
