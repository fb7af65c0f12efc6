"""What the component exports: the plugin and its checks."""

from check import Walk
from mustdo import Text
from mustdo.component import plugin

Plugin = plugin(
    id="my:plugin",
    version="0.1.0",
    title=Text("My plugin", "我的插件"),
    description=Text("Lists that come in pages", "分页的列表"),
    license="MIT OR Apache-2.0",
    checks=[Walk()],
)
