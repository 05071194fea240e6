"""The pages in a real browser: the way of somebody who is told that data is wrong, and how pages look."""

from __future__ import annotations

import re
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import pytest
import uvicorn
from playwright.sync_api import Browser, Page, expect, sync_playwright

from tests.acceptance.api_requests import TENANT, settled_in
from tests.acceptance.test_api import World
from tests.fixtures_store import memory_store
from tests.support import program, wait_for

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def chromium() -> Iterator[Browser]:
    path = program("chromium", "apt-get install chromium")
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=path, args=["--no-sandbox"])
        yield browser
        browser.close()


@contextmanager
def served(world: World) -> Iterator[str]:
    """The address of a world that really listens."""
    server = uvicorn.Server(uvicorn.Config(world.app, port=0, log_config=None))
    thread = threading.Thread(target=server.run)
    thread.start()
    wait_for(lambda: server.started, "the server")
    yield f"http://127.0.0.1:{server.servers[0].sockets[0].getsockname()[1]}"
    server.should_exit = True
    thread.join()


@pytest.fixture(scope="module")
def place() -> Iterator[tuple[World, str, dict[str, str]]]:
    """A world with something of everything, its address, and its pages."""
    store = memory_store()
    world = World(store)
    asked = settled_in(world)
    pages = {p: r.path for (m, p), r in asked.items() if m == "GET" and not p.startswith(("/api", "/auth"))}
    for other in ("/health", "/ready", "/metrics", "/login", "/web/{name}"):
        del pages[other]
    with served(world) as url:
        yield world, url, pages
    store.close()


def log_in(page: Page, url: str, token: str) -> None:
    page.goto(url)
    page.get_by_label("API token").fill(token)
    page.get_by_role("button", name="Log in").click()


def test_who_is_told_that_data_is_wrong_finds_it_and_takes_it(
    chromium: Browser, place: tuple[World, str, dict[str, str]]
) -> None:
    """Without scripts: log in, find the contract, open the incident, be on it, log out."""
    world, url, _ = place
    context = chromium.new_context(java_script_enabled=False)
    page = context.new_page()
    log_in(page, url, world.token("editor", "squad:checkout", tenant=TENANT))
    expect(page.get_by_role("heading", level=1)).to_contain_text("error")
    page.get_by_label("Find a contract").fill("ord")
    page.get_by_role("button", name="Search").click()
    page.get_by_role("link", name="orders", exact=True).click()
    expect(page.get_by_text("should not be read now")).to_be_visible()
    page.get_by_role("link", name="orders: amount is filled").first.click()
    expect(page.get_by_role("heading", name="Whom it reaches")).to_be_visible()
    page.get_by_label("How long").select_option("for 4 hours")
    page.get_by_role("button", name="Acknowledge").click()
    expect(page.get_by_role("status")).to_contain_text("You are on it")
    expect(page.get_by_text("somebody is on it").first).to_be_visible()
    page.get_by_role("button", name="Silence…").click()
    expect(page.get_by_label("Squad")).to_have_value("checkout")
    page.get_by_label("Why").fill("published again tonight")
    page.get_by_role("button", name="Silence", exact=True).click()
    expect(page.get_by_text("published again tonight")).to_be_visible()
    page.get_by_role("button", name="Log out").click()
    expect(page.get_by_role("heading", level=1)).to_have_text("You are logged out")
    page.goto(f"{url}/incidents")
    expect(page.get_by_label("API token")).to_be_visible()
    context.close()


def test_a_page_of_another_site_cannot_use_the_session(
    chromium: Browser, place: tuple[World, str, dict[str, str]]
) -> None:
    """By a form that sends itself off, as an attacker writes it."""
    world, url, _ = place
    context = chromium.new_context()
    page = context.new_page()
    log_in(page, url, world.token("admin", tenant=TENANT))
    before = world.store.silences(world.app.state.service.clock.now())
    # Loopback has two names; to a browser they are two sites.
    evil = url.replace("127.0.0.1", "localhost")
    form = (
        f'<form method="post" action="{url}/silences"><input name="squad" value="checkout">'
        '<input name="reason" value="x"></form><script>document.forms[0].submit()</script>'
    )
    page.route(f"{evil}/**", lambda route: route.fulfill(body=form, content_type="text/html"))
    page.goto(f"{evil}/")
    page.wait_for_url(f"{url}/**")
    expect(page.get_by_role("heading", level=1)).to_have_text("Who are you?")
    assert world.store.silences(world.app.state.service.clock.now()) == before
    context.close()


LOOKS = [("light", 1200), ("dark", 1200), ("light", 360), ("dark", 360)]

UNREADABLE = r"""
() => {
  const channels = (c) => c.match(/[\d.]+/g).map(Number);
  const light = ([r, g, b]) => [r, g, b].map((v) => v / 255)
    .map((v) => v <= 0.03928 ? v / 12.92 : ((v + 0.055) / 1.055) ** 2.4)
    .reduce((sum, v, i) => sum + v * [0.2126, 0.7152, 0.0722][i], 0);
  const behind = (e) => {
    for (; e; e = e.parentElement) {
      const c = channels(getComputedStyle(e).backgroundColor);
      if (c.length === 3 || c[3] === 1) return c;
    }
    return [255, 255, 255];
  };
  const bad = [];
  for (const e of document.querySelectorAll("body *:not(svg *)")) {
    const text = [...e.childNodes].some((n) => n.nodeType === 3 && n.textContent.trim());
    if (!text || !e.checkVisibility()) continue;
    const [a, b] = [light(channels(getComputedStyle(e).color)), light(behind(e))].sort((x, y) => y - x);
    const ratio = (a + 0.05) / (b + 0.05);
    if (ratio < 4.5) bad.push(`${e.tagName}.${e.className} ${e.textContent.trim().slice(0, 30)}: ${ratio.toFixed(2)}`);
  }
  return bad;
}
"""
"""Texts whose contrast to what is behind them is less than WCAG 2.2 asks for (1.4.3, level AA)."""

UNNAMED = """
() => [...document.querySelectorAll("input:not([type=hidden]), select, textarea, button, a, img, svg:not([aria-hidden])")]
  .filter((e) => !(e.labels?.length || e.textContent.trim() || e.alt || e.ariaLabel))
  .map((e) => e.outerHTML.slice(0, 80))
"""


STICKING_OUT = """
() => document.documentElement.scrollWidth <= innerWidth ? [] :
  [...document.querySelectorAll("main *")].filter((e) => !e.closest(".scroll *, svg *") && e.getBoundingClientRect().right > innerWidth)
    .map((e) => e.outerHTML.slice(0, 80))
"""


@pytest.mark.parametrize(("scheme", "width"), LOOKS)
def test_every_page_is_readable_and_nothing_sticks_out(
    chromium: Browser, place: tuple[World, str, dict[str, str]], scheme: Any, width: int
) -> None:
    world, url, pages = place
    context = chromium.new_context(color_scheme=scheme, viewport={"width": width, "height": 800})
    page = context.new_page()
    said: list[str] = []
    page.on("console", lambda message: said.append(message.text))
    log_in(page, url, world.token("admin", tenant=TENANT))
    wrong: list[str] = []
    for path in (*pages.values(), "/nowhere"):
        page.goto(url + path)
        wrong += [f"{path}: {text}" for text in page.evaluate(UNREADABLE)]
        wrong += [f"{path}: has no name: {html}" for html in page.evaluate(UNNAMED)]
        wrong += [f"{path}: sticks out: {html}" for html in page.evaluate(STICKING_OUT)]
        for landmark in ("banner", "main", "contentinfo"):
            if page.get_by_role(landmark).count() != 1:
                wrong.append(f"{path} has not one {landmark}")
        if page.get_by_role("heading", level=1).count() != 1:
            wrong.append(f"{path} has not one heading of the first level")
        if (
            not re.search(r"\w", page.title().partition("·")[0])
            or page.locator("html").get_attribute("lang") != "en"
        ):
            wrong.append(f"{path} has no title, or no language")
    assert wrong == []
    # What the policy of a page forbids would be told here.
    assert [text for text in said if "Content Security Policy" in text] == []
    context.close()


def test_the_keyboard_reaches_the_content_first(
    chromium: Browser, place: tuple[World, str, dict[str, str]]
) -> None:
    world, url, _ = place
    context = chromium.new_context()
    page = context.new_page()
    log_in(page, url, world.token("viewer", tenant=TENANT))
    page.goto(f"{url}/contracts")
    page.keyboard.press("Tab")
    skip = page.get_by_role("link", name="Skip to the content")
    expect(skip).to_be_focused()
    expect(skip).to_be_in_viewport()
    page.keyboard.press("Enter")
    assert page.url.endswith("#main")
    context.close()
