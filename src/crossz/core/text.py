"""Words of others, before they are shown."""


def printable(text: str, most: int = 500) -> str:
    """Text on one line without control characters, which a terminal would obey; at most `most` characters of it.

    Left out are control and format characters (escape, bell, marks that turn the direction of writing) and whatever else
    Unicode does not call printable. Blanks and line ends become one blank.
    """
    line = " ".join(text[: 20 * most].split())
    return "".join(character for character in line if character.isprintable())[:most]
