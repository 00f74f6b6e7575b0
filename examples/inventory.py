"""A small stock list: the sample that `npm start` completes."""

from dataclasses import dataclass


@dataclass
class Item:
    name: str
    quantity: int
    price: float


class Inventory:
    def __init__(self) -> None:
        self.items: dict[str, Item] = {}

    def add(self, item: Item) -> None:
        self.items[item.name] = item

    def total_value(self) -> float:
        """The value of everything in stock."""
        

    def low_stock(self, threshold: int = 5) -> list[Item]:
        """Items of which fewer than `threshold` are left."""
        return [item for item in self.items.values() if item.quantity < threshold]
