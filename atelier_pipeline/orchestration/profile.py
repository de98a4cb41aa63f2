"""Profiles: what stands for settings that the environment leaves open, by name.

`demo` and `live` share nothing: not their files, and not their Dagster, whose partitions have the
same keys in both.
"""

import os
from pathlib import Path

from atelier_pipeline.errors import SettingsError
from atelier_pipeline.settings import Settings, load_settings

DEMO = {
    "ATELIER_LAKE": "data/demo",
    "ATELIER_JOURNAL": "data/demo_journal",
    "ATELIER_METRICS": "data/demo_metrics",
    "ATELIER_MANIFESTS": str(Path(__file__).parents[1] / "manifests" / "demo"),
    "ATELIER_WINDOW_MINUTES": "1",
    "DAGSTER_HOME": "data/demo_dagster",
}
PROFILES = {"demo": DEMO, "live": {}}


def use_profile(name: str) -> Settings:
    """The settings under a profile, which this process and its children have from now on.

    Variables that are set already stay. `DAGSTER_HOME` is set in any case, since Dagster itself
    reads it.

    Raises:
        SettingsError: there is no such profile, or a variable can't be used.
    """
    if name not in PROFILES:
        raise SettingsError(f"profile {name!r}: expected one of {', '.join(PROFILES)}")
    for variable, value in PROFILES[name].items():
        os.environ[variable] = os.environ.get(variable) or value
    settings = load_settings()
    os.environ["DAGSTER_HOME"] = str(settings.dagster_home)
    return settings
