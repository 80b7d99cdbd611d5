"""The page in a real browser: pictures chosen and dropped, the threshold, classes, the camera, errors."""

from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest

from helpers.chromium import PROGRAM, Page, chromium
from helpers.fake_network import drawn
from helpers.serving import Client, encoded, serving

pytestmark = pytest.mark.skipif(PROGRAM is None, reason="there is no Chromium")

PICTURE = drawn(200, 400, red=((40, 20, 120, 100),), blue=((200, 50, 380, 190),))
SHOWN = "[...document.querySelectorAll('.box span')].map(node => node.textContent).sort().join()"


@pytest.fixture(scope="module")
def client() -> Iterator[Client]:
    with serving() as client:
        yield client


@pytest.fixture(scope="module")
def browser(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Page]:
    with chromium(tmp_path_factory.mktemp("profile")) as browser:
        yield browser


@pytest.fixture
def opened(browser: Page, client: Client) -> Iterator[Page]:
    browser.open(client.address + "/")
    yield browser
    assert not browser.faults


def choose(page: Page, folder: Path, *pictures: tuple[str, bytes]) -> None:
    for name, data in pictures:
        (folder / name).write_bytes(data)
    page.choose_files("#files", *(folder / name for name, _ in pictures))
    page.until("document.querySelector('figure') && document.getElementById('status').textContent === ''")


def slide(page: Page, percent: int) -> None:
    page.value(
        f"{{const bar = document.getElementById('threshold'); bar.value = {percent};"
        "bar.dispatchEvent(new Event('input'))}"
    )


def test_boxes_lie_where_the_objects_are(opened: Page, tmp_path: Path) -> None:
    choose(opened, tmp_path, ("photo.png", encoded(PICTURE)))
    opened.until("document.querySelector('img').naturalWidth === 400")
    assert opened.value(SHOWN) == "box 60 %,disc 90 %"
    boxes = opened.value(
        "(() => {const stage = document.querySelector('img').getBoundingClientRect();"
        "return [...document.querySelectorAll('.box')].map(node => {const box = node.getBoundingClientRect();"
        "return [box.left - stage.left, box.top - stage.top, box.right - stage.left, box.bottom - stage.top]"
        ".map(side => side * 400 / stage.width)})})()"
    )
    # the surest is drawn last; a pixel of the network is six of the picture
    np.testing.assert_allclose(boxes, [[200, 50, 380, 190], [40, 20, 120, 100]], atol=7)
    assert opened.value("document.querySelector('img').alt") == "photo.png: 1 disc, 1 box"
    assert opened.value("document.querySelector('li').textContent").startswith("disc 90 % at ")


def test_the_threshold_and_the_classes_choose_at_once_without_asking_again(
    opened: Page, client: Client, tmp_path: Path
) -> None:
    choose(opened, tmp_path, ("photo.png", encoded(PICTURE)))
    asked = client.metric("ssd_batch_images_sum")
    assert opened.value("document.querySelector('output').textContent") == "50 %"
    for percent, shown in ((70, "disc 90 %"), (95, ""), (5, "box 60 %,disc 90 %")):
        slide(opened, percent)
        assert opened.value(SHOWN) == shown
        assert opened.value("document.querySelector('output').textContent") == f"{percent} %"
    opened.value("document.querySelector('#classes input').click()")
    assert opened.value(SHOWN) == "box 60 %"
    assert client.metric("ssd_batch_images_sum") == asked


def test_what_cannot_be_read_is_said_beside_what_can(opened: Page, tmp_path: Path) -> None:
    choose(opened, tmp_path, ("good.png", encoded(PICTURE)), ("bad.png", encoded(PICTURE)[:100]))
    said = opened.value("[...document.querySelectorAll('figcaption span')].map(node => node.textContent)")
    assert "cut short" in said[0] or "cannot be read" in said[0]
    assert said[1] == "1 disc, 1 box"
    assert opened.value("document.querySelector('.error').role") == "alert"
    opened.value("document.getElementById('clear').click()")
    assert opened.value("document.querySelectorAll('figure').length") == 0


def test_dropping_a_picture_is_as_choosing_it(opened: Page, tmp_path: Path) -> None:
    opened.value(
        "(async () => {const canvas = Object.assign(document.createElement('canvas'), {width: 64, height: 64});"
        "const pen = canvas.getContext('2d'); pen.fillStyle = '#f00'; pen.fillRect(8, 8, 30, 30);"
        "const blob = await new Promise(done => canvas.toBlob(done)); const dropped = new DataTransfer();"
        "dropped.items.add(new File([blob], 'drawn.png', {type: 'image/png'}));"
        "document.body.dispatchEvent(new DragEvent('drop', {dataTransfer: dropped, bubbles: true}))})()"
    )
    opened.until("document.querySelectorAll('.box').length === 1")
    assert opened.value(SHOWN) == "disc 90 %"


def test_the_camera_is_detected_in_until_it_is_stopped(opened: Page, client: Client) -> None:
    asked = client.metric("ssd_batch_images_sum")
    opened.value("document.getElementById('camera').click()")
    opened.until("document.getElementById('status').textContent.endsWith(' ms a picture')")
    assert opened.value("document.querySelector('figure.live video').videoWidth") > 0
    opened.value("document.getElementById('camera').click()")
    opened.until("!document.querySelector('figure')")
    assert client.metric("ssd_batch_images_sum") > asked


def test_it_fits_a_phone_and_asks_nobody_else(browser: Page, client: Client, tmp_path: Path) -> None:
    browser.open(client.address + "/", 360, 740, is_phone=True)
    choose(browser, tmp_path, ("photo.png", encoded(PICTURE)))
    assert browser.value("document.documentElement.scrollWidth") <= 360
    assert browser.value("document.querySelector('button').getBoundingClientRect().height") >= 44
    elsewhere = "performance.getEntries().map(one => one.name).filter(name => name.startsWith('http'))"
    assert all(name.startswith(client.address) for name in browser.value(elsewhere))


def test_a_full_server_is_asked_again(browser: Page, tmp_path: Path) -> None:
    with serving(queue=1, max_images=1, batch_size=1) as client:
        browser.open(client.address + "/")
        choose(browser, tmp_path, *((f"{number}.png", encoded(PICTURE)) for number in range(5)))
        assert browser.value("document.querySelectorAll('.box').length") == 10
