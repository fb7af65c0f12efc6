"""Does a list that comes in pages show every row exactly once?"""

import re
from urllib.parse import urlencode, urljoin, urlsplit

from mustdo import MUST, Check, Context, Param, Report, Text, fail, inconclusive

# Two page sizes without a common factor: what one loses at the end of a page, the other shows in the middle of one.
SIZES = (3, 7)


class Walk(Check):
    id = "walk"
    title = Text("Pages show every row once", "分页不漏不重")
    description = Text(
        "Follows the links to the next page (RFC 8288, rel=next) with two page sizes. Passes when both show the same "
        "rows in the same order and none twice. Needs more rows than fit on one page.",
        "用两种页长沿着下一页的链接（RFC 8288，rel=next）走完。两次看到同样的行、同样的顺序、没有重复，才算通过。行数要多于一页。",
    )
    params = {
        "path": Param("/items", "A path that answers a JSON array of objects, in pages"),
        "size": Param("limit", "The query parameter that sets how many rows a page has"),
        "id": Param("id", "The member that tells rows apart"),
        "pages": Param(100, "How many pages are followed at most", minimum=2, maximum=1000),
    }
    http = {"api": "to read the pages of your list"}

    def run(self, context: Context) -> Report:
        report = Report(Text("every row came exactly once", "每一行恰好出现一次"))
        api = context.http("api")
        say = lambda rows: Text(f"{len(rows)} rows, none twice", f"{len(rows)} 行，没有重复")
        walks = [
            report.judge(f"pages-of-{size}", MUST, lambda: self.walk(api, context.params, size), say)
            for size in SIZES
        ]
        if None not in walks:
            compare = lambda: self.compare(api, context.params, *walks)
            report.judge("same-rows", MUST, compare, lambda _: Text("both walks agree", "两次结果一致"))
        return report

    def walk(self, api, params: dict, size: int) -> list:
        """The id of every row, page after page."""
        path = params["path"] + ("&" if "?" in params["path"] else "?") + urlencode({params["size"]: size})
        seen: list = []
        visited = set()
        while path is not None:
            if path in visited:
                raise fail(f"the next page of {path} is a page that was there before", f"{path} 的下一页又回到了看过的页")
            if len(visited) == params["pages"]:
                raise inconclusive(f"more than {params['pages']} pages: raise `pages`", f"超过 {params['pages']} 页：请调大 pages")
            visited.add(path)
            answer = api.send("GET", path, {"Accept": "application/json"})
            ids = row_ids(answer, path, params["id"], first=len(visited) == 1)
            if len(ids) > size:
                raise inconclusive(
                    f"{size} rows were asked for and {len(ids)} came: does `{params['size']}` set the size of a page?",
                    f"要 {size} 行却来了 {len(ids)} 行：页长是由 {params['size']} 决定的吗？",
                )
            for id in ids:
                if id in seen:
                    hint = Text("order by a unique column, and start after the last row shown", "按唯一的列排序，从上一页最后一行之后开始")
                    raise fail(f"row {id} comes twice, again on {path}", f"第 {id} 行出现两次，又见于 {path}", hint)
                seen.append(id)
            path = next_page(answer.header("link"), path)
        return seen

    def compare(self, api, params: dict, short: list, long: list) -> None:
        """Both walks show the same; where not, only a list that stands still can be judged."""
        if short == long and len(long) > min(SIZES):
            return
        if len(long) <= min(SIZES) and len(short) <= min(SIZES):
            raise inconclusive(
                f"{len(long)} rows fit on one page: add more than {min(SIZES)}", f"{len(long)} 行一页就够：请多放几行"
            )
        if self.walk(api, params, SIZES[0]) != short or self.walk(api, params, SIZES[1]) != long:
            raise inconclusive("the list changes while it is read", "读的时候列表在变")
        missing = [id for id in long if id not in short] or [id for id in short if id not in long]
        if missing:
            hint = Text("the next page starts where the last one ended", "下一页要从上一页结束的地方开始")
            some = ", ".join(str(id) for id in missing[:5])
            raise fail(f"pages of {SIZES[0]} and of {SIZES[1]} do not show the same: {some}", f"两种页长看到的不同：{some}", hint)
        raise fail("the order of rows depends on the size of a page", "行的顺序随页长变化", Text("give the query an order", "查询要有明确的排序"))


def row_ids(answer, path: str, id: str, first: bool) -> list:
    """The ids on one page."""
    if answer.status != 200:
        # A first page that is not there is a wrong path; a link that leads nowhere is a wrong link.
        refuse = inconclusive if first else fail
        raise refuse(f"{path} answered {answer.status}", f"{path} 返回 {answer.status}")
    try:
        rows = answer.json()
    except ValueError as error:
        raise inconclusive(f"{path} is no JSON: {error}", f"{path} 不是 JSON：{error}")
    if not isinstance(rows, list) or not all(isinstance(row, dict) and id in row for row in rows):
        raise inconclusive(
            f"{path} is not a JSON array of objects with `{id}`: name the member with the parameter `id`",
            f"{path} 不是带 {id} 的 JSON 对象数组：用参数 id 指明",
        )
    return [row[id] for row in rows]


def next_page(link: str | None, base: str) -> str | None:
    """The path of the link with rel=next (RFC 8288, 3); only its path and query matter, for the target is named."""
    for target, parameters in re.findall(r'<([^>]*)>((?:\s*;\s*[\w*!#$&+.^`|~-]+\s*(?:=\s*(?:"[^"]*"|[^",;\s]+))?)*)', link or ""):
        relation = re.search(r';\s*rel\s*=\s*(?:"([^"]*)"|([^",;\s]+))', parameters, re.IGNORECASE)
        if relation and "next" in (relation[1] or relation[2] or "").lower().split():
            there = urlsplit(urljoin(base, target))
            return (there.path or "/") + (f"?{there.query}" if there.query else "")
    return None
