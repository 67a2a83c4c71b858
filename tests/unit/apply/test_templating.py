"""Texts of users in templates."""

from crossz.apply.templating import clean, escaped, html_environment


def test_characters_that_are_not_seen_are_removed():
    assert clean("a\x00b\x1b[31mc\x7f\u202ed\u200b\ud800e") == "ab[31mcde"
    assert clean("two\nlines\tand é, 星") == "two lines and é, 星"


def test_texts_are_escaped_at_every_depth_and_numbers_stay():
    assert escaped({"<a>": ["b|c", 1, None, {"d": ("`e`",)}]}) == {
        "&#60;a&#62;": ["b&#124;c", 1, None, {"d": ["&#96;e&#96;"]}]
    }
    assert escaped("random_forest") == "random_forest"


def test_html_is_escaped_and_cleaned_without_being_asked():
    template = html_environment().from_string("<p title='{{ a }}'>{{ a }}</p>{{ b }}")
    assert template.render(a="<b>'\x07", b=3) == "<p title='&lt;b&gt;&#39;'>&lt;b&gt;&#39;</p>3"
