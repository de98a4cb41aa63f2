"""Manifests: what is captured, from TOML to typed and checked settings."""

from atelier_pipeline.manifest.collector import Collector, SyncPlan
from atelier_pipeline.manifest.load import (
    load_manifest,
    load_manifests,
    manifest_of,
    parse_collector,
    parse_manifest,
)
from atelier_pipeline.manifest.plan import WorkerPlan
from atelier_pipeline.manifest.schema import SCHEMA_FILE, SHIPPED, Manifest, manifest_schema

__all__ = [
    "SCHEMA_FILE",
    "SHIPPED",
    "Collector",
    "Manifest",
    "SyncPlan",
    "WorkerPlan",
    "load_manifest",
    "load_manifests",
    "manifest_of",
    "manifest_schema",
    "parse_collector",
    "parse_manifest",
]
