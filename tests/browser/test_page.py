"""The page as a person uses it: with eyes on the datasets and hands on the keyboard."""

from __future__ import annotations

import pytest

pytestmark = pytest.mark.browser

FOCUSED = "(document.activeElement?.matches('a.card') ? document.activeElement.innerText : '')"


def settled(browser) -> None:
    browser.until(
        "!document.querySelector('main').hasAttribute('aria-busy') && document.querySelector('main h1, main h2')"
    )


def go_to_page(browser, lab) -> None:
    browser.open(lab.endpoint.page_link)
    browser.until("document.querySelectorAll('a.card.dataset').length === 2")


def test_from_the_link_to_a_tag_by_keyboard_alone(browser, lab) -> None:
    go_to_page(browser, lab)
    assert "open?key" not in browser.run("return location.href")
    browser.until("document.querySelectorAll('.cover img').length === 2")

    # The newest dataset has the focus: step to the other one and open it.
    browser.until(f"({FOCUSED}).includes('Porous sponge')")
    browser.press("Right", "Enter")
    browser.until("document.querySelectorAll('a.card.file').length === 3")
    browser.until(
        "[...document.querySelectorAll('.card.file img')].filter((image) => image.complete && image.naturalWidth).length === 2"
    )
    browser.until(f"({FOCUSED}).includes('scan_0.ser')")

    browser.press("Right", "Enter")
    browser.until("document.querySelector('h1')?.innerText === 'scan_1.ser'")
    settled(browser)
    text = browser.text()
    assert "300 kV" in text
    assert "4.02 mm" in text
    assert "11 pm" in text
    assert browser.run("return document.querySelector('a.button').getAttribute('href')").startswith(
        "/hatrac/lab/1.png:"
    )

    browser.press("t", "Nanowires", "Enter")
    browser.until("document.querySelector('.tag.accepted .term')?.innerText === 'Nanowires'")
    (tag,) = lab.rows("/entity/nanoscience:Tag/Term=Nanowires")
    assert (tag["Status"], tag["Source"]) == ("accepted", "person")

    # Esc leaves the field, then the file; the card that was opened has the focus again.
    browser.press("Escape", "Escape")
    browser.until(f"({FOCUSED}).includes('scan_1.ser')")
    browser.press("Escape")
    browser.until("document.querySelectorAll('a.card.dataset').length === 2")


def test_search_finds_files_and_tags(browser, lab) -> None:
    (file,) = lab.rows("/entity/nanoscience:File/Filename=scan_2.ser")
    lab.insert("Tag", Term="Fibres", File=file["RID"], Source="tool", Status="proposed")
    go_to_page(browser, lab)
    browser.press("/", "SCAN_1")
    browser.until("document.querySelectorAll('a.card.file').length === 1")
    browser.press("Escape")
    browser.until("document.querySelectorAll('a.card.dataset').length === 2")
    browser.press("/", "fibre")
    browser.until("document.querySelector('a.card.file')?.innerText.includes('scan_2.ser')")
    browser.press("Down", "Enter")
    browser.until("document.querySelector('h1')?.innerText === 'scan_2.ser'")
    browser.open(f"{lab.endpoint.url}/#/search/no%20(such%5B%20thing")
    browser.until("document.body.innerText.includes('Nothing found')")


def test_tags_are_accepted_rejected_and_removed(browser, lab) -> None:
    (file,) = lab.rows("/entity/nanoscience:File/Filename=scan_1.ser")
    lab.insert("Tag", Term="Tips", File=file["RID"], Source="tool", Score=0.4, Status="proposed")
    go_to_page(browser, lab)
    browser.open(f"{lab.endpoint.url}/#/file/{file['RID']}")
    for label, expected in (("Accept", "accepted"), ("Reject", "rejected")):
        browser.until("document.querySelector('.tag button')")
        browser.run("document.querySelector(`button[title=${arguments[0]}]`).click()", label)
        browser.until("document.querySelector('.tag').classList.contains(arguments[0])", expected)
        assert lab.rows(f"/entity/nanoscience:Tag/File={file['RID']}")[0]["Status"] == expected
    browser.run("document.querySelector('button[title=Remove]').click()")
    browser.until("!document.querySelector('.tag')")
    assert lab.rows(f"/entity/nanoscience:Tag/File={file['RID']}") == []


def test_what_people_typed_is_text_and_never_markup(browser, lab) -> None:
    go_to_page(browser, lab)
    assert "<img src=x" in browser.text()
    (file,) = lab.rows("/entity/nanoscience:File/Filename=scan_1.ser")
    browser.open(f"{lab.endpoint.url}/#/file/{file['RID']}")
    browser.until("document.body.innerText.includes('<script>')")
    assert "scan_1.ser" in browser.run("return document.title")
    assert browser.run("return document.querySelectorAll('main script, img[src=x]').length") == 0


def test_previous_and_next_by_arrow_keys(browser, lab) -> None:
    go_to_page(browser, lab)
    (file,) = lab.rows("/entity/nanoscience:File/Filename=scan_1.ser")
    browser.open(f"{lab.endpoint.url}/#/file/{file['RID']}")
    browser.until("document.querySelector('h1')?.innerText === 'scan_1.ser'")
    browser.press("Right")
    browser.until("document.querySelector('h1')?.innerText === 'scan_2.ser'")
    browser.press("Left")
    browser.until("document.querySelector('h1')?.innerText === 'scan_1.ser'")


def test_nothing_is_loaded_from_elsewhere_and_nothing_complains(browser, lab) -> None:
    go_to_page(browser, lab)
    loaded = browser.run("return performance.getEntriesByType('resource').map((entry) => entry.name)")
    assert all(url.startswith(lab.endpoint.url) for url in loaded)
    logged = browser.ask("POST", "/se/log", type="browser")
    assert [entry["message"] for entry in logged if entry["level"] == "SEVERE"] == []


def test_without_the_link_the_page_says_how_to_open_it(browser, lab) -> None:
    browser.open(lab.endpoint.url)
    browser.until("document.body.innerText.includes('nanoferry serve')")
    assert "PbSe" not in browser.text()


def test_an_empty_catalog_greets(browser, empty_lab) -> None:
    browser.open(empty_lab.endpoint.page_link)
    browser.until("document.body.innerText.includes('nanoferry catalog init')")
