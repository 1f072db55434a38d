"""Follows the links of a built book, and those of alerts into it."""

import pathlib
import re
import sys

# Pages that mdbook makes of others, with links from another place.
MADE = {"print.html", "toc.html", "404.html"}


def main():
    book, alerts = pathlib.Path(sys.argv[1]).resolve(), pathlib.Path(sys.argv[2])
    pages = {path: path.read_text(encoding="utf-8") for path in book.rglob("*.html")}
    anchors = {path: set(re.findall(r'id="([^"]+)"', text)) for path, text in pages.items()}
    links = []
    for path, text in pages.items():
        if path.name not in MADE:
            body = text.split("<main>", 1)[-1].split("</main>", 1)[0]
            links += [(path, link) for link in re.findall(r'(?:href|src)="([^"]+)"', body)]
    rules = alerts.read_text(encoding="utf-8")
    links += [(book / "index.html", link) for link in re.findall(r"runbook_url: \S+?/book/(\S+)", rules)]

    complaints = []
    for path, link in links:
        if re.match(r"[a-z]+:", link):
            continue
        file, _, anchor = link.partition("#")
        target = (path.parent / file).resolve() if file else path
        if not target.exists():
            complaints.append(f"{path.relative_to(book)}: {link}: no such page")
        elif anchor and anchor not in anchors.get(target, ()):
            complaints.append(f"{path.relative_to(book)}: {link}: no such heading")
    for complaint in complaints:
        print(complaint, file=sys.stderr)
    print(f"book: {len(pages) - len(MADE)} pages, {len(links)} links, {len(complaints)} of them lead nowhere")
    sys.exit(bool(complaints) or not links)


main()
