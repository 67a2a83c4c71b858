"""Write what `crossz models` says into docs/networks.md. `make networks` runs this."""

import re
from pathlib import Path

from crossz.apply.listing import listing

PAGE = Path(__file__).with_suffix(".md")


def page(text: str) -> str:
    """The page with the present scores."""
    block = f"<!-- scores -->\n```text\n{listing()}```\n<!-- /scores -->"
    return re.sub(r"<!-- scores -->.*<!-- /scores -->", lambda _: block, text, flags=re.DOTALL)


if __name__ == "__main__":
    PAGE.write_text(page(PAGE.read_text(encoding="utf-8")), encoding="utf-8")
