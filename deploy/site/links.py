"""Makes links of the documents that others name in backticks, as `config/MANIFEST.md`."""

import posixpath
import re

NAMED = re.compile(r"(?<![\[`])`([\w./-]+\.md)`(?!\])")


def on_page_markdown(markdown, page, config, files):
    here = posixpath.dirname(page.file.src_path)

    def link(match):
        named = match.group(1)
        for path in (named, posixpath.normpath(posixpath.join(here, named))):
            if files.get_file_from_path(path) is not None:
                return f"[{match.group(0)}]({posixpath.relpath(path, here or '.')})"
        return match.group(0)

    in_block = False
    lines = []
    for line in markdown.split("\n"):
        if line.lstrip().startswith("```"):
            in_block = not in_block
        lines.append(line if in_block or line.startswith("    ") else NAMED.sub(link, line))
    return "\n".join(lines)
