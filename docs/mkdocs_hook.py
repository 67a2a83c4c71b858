"""Hook of MkDocs: the site has the paths of the repository, so that a link in a page works here and there.

README.md, config/README.md and the pages of the project join those of docs/. `make docs` builds the site.
"""

import json
import re
from pathlib import Path

from mkdocs.config.defaults import MkDocsConfig
from mkdocs.structure.files import File, Files
from mkdocs.structure.pages import Page

ROOT = Path(__file__).resolve().parents[1]
OUTSIDE = ("README.md", "config/README.md", "CONTRIBUTING.md", "CODE_OF_CONDUCT.md", "CHANGELOG.md", "LICENSE")
"""Pages that do not live in docs/."""
SHOWN = {".md", ".png", ".svg", ".ipynb"}


def on_config(config: MkDocsConfig) -> MkDocsConfig:
    """Name the headings as the pages' links do."""
    config.mdx_configs.setdefault("toc", {})["slugify"] = slug
    return config


def on_files(files: Files, config: MkDocsConfig) -> Files:
    """Take the pages under their paths in the repository, and the theme's own files as they are."""
    theirs = [file for file in files if file.src_dir != config.docs_dir]
    inside = sorted(path.relative_to(ROOT).as_posix() for path in Path(config.docs_dir).rglob("*"))
    ours = [name for name in (*OUTSIDE, *inside) if Path(name).suffix in SHOWN or name in OUTSIDE]
    made = [File(name, str(ROOT), config.site_dir, config.use_directory_urls) for name in ours]
    books = [name for name in ours if name.endswith(".ipynb")]
    made += [
        File.generated(config, Path(name).with_suffix(".md").as_posix(), content=notebook(ROOT / name))
        for name in books
    ]
    return Files([*theirs, *made])


def notebook(path: Path) -> str:
    """A notebook as a page: its words, and its code in blocks. The notebook itself lies beside the page."""
    parts = []
    for cell in json.loads(path.read_text())["cells"]:
        text = "".join(cell["source"])
        parts.append(text if cell["cell_type"] == "markdown" else f"```python\n{text}\n```")
    title, *rest = parts[0].split("\n", 1)
    return "\n\n".join([title, f"[Open it as a notebook]({path.name}).", *rest, *parts[1:]]) + "\n"


def on_page_markdown(markdown: str, page: Page, config: MkDocsConfig, files: Files) -> str:
    """Drop the word by which the tests know how to run a block of code; where it is a path, it is the block's title."""
    titled = re.sub(r"^```(\w+) (\S*/\S*)$", r'```\1 title="\2"', markdown, flags=re.MULTILINE)
    return re.sub(r"^```(\w+) \w+$", r"```\1", titled, flags=re.MULTILINE)


def slug(heading: str, separator: str) -> str:
    """The anchor of a heading, as the forges make it: lower case, words joined, no punctuation."""
    return re.sub(r"[^\w\- ]", "", heading.strip().lower()).replace(" ", separator)
