"""Write every generated file: the CRDs, and the chart's copy of them."""

from __future__ import annotations

from pathlib import Path

import yaml

from celeriac.api.crd import RESOURCES, custom_resource_definition
from celeriac.api.v1alpha1.model import GROUP

ROOT = Path(__file__).resolve().parent.parent
HEADER = "# Generated from the models in sdk/src/celeriac/api by `make generate`. Do not edit.\n---\n"


def generated_files() -> dict[Path, str]:
    """Path below the root to content, for every generated file."""
    files = {}
    for resource in RESOURCES:
        manifest = custom_resource_definition(resource)
        text = HEADER + yaml.safe_dump(manifest, sort_keys=False, width=110, allow_unicode=True)
        for folder in ("crds", "charts/celeriac/crds"):
            files[Path(folder) / f"{GROUP}_{resource.plural}.yaml"] = text
    return files


def main() -> None:
    for path, text in generated_files().items():
        target = ROOT / path
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_text(text)
        print(f"wrote {path} ({len(text.encode()) / 1024:.0f} KiB)")


if __name__ == "__main__":
    main()
