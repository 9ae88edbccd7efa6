"""Data sets: images for networks, tables for regression and classification. Nothing here needs torch."""

from parsimo.data.images import ImageData as ImageData
from parsimo.data.images import load_images as load_images
from parsimo.data.scaling import Scaled as Scaled
from parsimo.data.sklearn_sets import load_sklearn as load_sklearn
from parsimo.data.tables import Table as Table
from parsimo.data.tables import load_table as load_table

__all__ = ["ImageData", "load_images", "Table", "load_table", "load_sklearn", "Scaled"]
