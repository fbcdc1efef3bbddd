"""The departments of the demo shop, in the order in which they stand in the CSV."""

from goods.bags import BAGS
from goods.furniture import FURNITURE
from goods.garden import GARDEN
from goods.kitchen import KITCHEN
from goods.lamps import LAMPS
from goods.stationery import STATIONERY
from goods.tableware import TABLEWARE
from goods.textiles import TEXTILES
from goods.toys import TOYS
from goods.workshop import WORKSHOP

DEPARTMENTS = (
    TABLEWARE,
    KITCHEN,
    LAMPS,
    STATIONERY,
    TEXTILES,
    WORKSHOP,
    GARDEN,
    BAGS,
    TOYS,
    FURNITURE,
)
