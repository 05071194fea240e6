"""Data products, in the database."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from sqlalchemy import Connection, Row, Select, bindparam, select

from contracts_svc.adapters.store.part import Part, insert, note
from contracts_svc.adapters.store.tables_products import data_products as _PRODUCTS
from contracts_svc.ports_lineage import Product
from contracts_svc.ports_store import Actor


class Products(Part):
    """:class:`contracts_svc.ports_lineage.ProductStore`"""

    def put_product(self, product: Product, now: datetime, by: Actor) -> bool:
        """Keep a data product as it is now, in use again if it was retired; False when it is so already."""

        def work(connection: Connection) -> bool:
            there = connection.execute(_one(product.tenant, product.id).with_for_update()).first()
            in_use = there is not None and there.retired is None
            if in_use and there is not None and _read(there) == product:
                return False
            values = {"team": product.team, "document": product.text, "changed": now, "retired": None}
            statement = insert(connection, _PRODUCTS)
            connection.execute(
                statement.on_conflict_do_update(index_elements=["tenant", "product"], set_=values),
                {"tenant": product.tenant, "product": product.id, **values},
            )
            action = "changed" if in_use else "created"
            note(connection, now, by, action, "data product", product.id, {"team": product.team})
            return True

        return self.database.write(work)

    def retire_product(self, tenant: str, product_id: str, now: datetime, by: Actor) -> bool:
        """Take a data product out of use; False when it is, or there is none."""

        def work(connection: Connection) -> bool:
            there = connection.execute(_one(tenant, product_id).with_for_update()).first()
            if there is None or there.retired is not None:
                return False
            connection.execute(_PRODUCTS.update().where(_PRODUCTS.c.id == there.id).values(retired=now))
            note(connection, now, by, "retired", "data product", product_id)
            return True

        return self.database.write(work)

    def products(self, tenant: str) -> tuple[Product, ...]:
        """The data products of a tenant that are in use, by id."""
        found = self.database.read(lambda c: c.execute(_IN_USE, {"of_tenant": tenant}).all())
        return tuple(map(_read, found))


_IN_USE = (
    select(_PRODUCTS)
    .where(_PRODUCTS.c.tenant == bindparam("of_tenant"), _PRODUCTS.c.retired.is_(None))
    .order_by(_PRODUCTS.c.product)
)


def _one(tenant: str, product_id: str) -> Select[Any]:
    return select(_PRODUCTS).where(_PRODUCTS.c.tenant == tenant, _PRODUCTS.c.product == product_id)


def _read(row: Row[Any]) -> Product:
    return Product(id=row.product, tenant=row.tenant, team=row.team, text=bytes(row.document))
