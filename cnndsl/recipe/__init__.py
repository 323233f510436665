"""Training recipes: `train:` blocks read, checked against the network, and completed with defaults.

Nothing here imports torch: `cnndsl check` validates recipes too.
"""

from cnndsl.elaborate.settings import Setting
from cnndsl.recipe.read import read
from cnndsl.recipe.recipe import Recipe, from_json
from cnndsl.recipe.settings import SETTINGS

__all__ = ["SETTINGS", "Recipe", "Setting", "from_json", "read"]
