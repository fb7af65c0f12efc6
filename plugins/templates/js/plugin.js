// What the component exports: the plugin and its checks.

import { problem } from "./check.js";
import { component } from "./mustdo/component.js";
import { text } from "./mustdo/index.js";

export const plugin = component({
  id: "my:plugin",
  version: "0.1.0",
  title: text("My plugin", "我的插件"),
  description: text("Errors that say what is wrong", "说得清楚的错误"),
  license: "MIT OR Apache-2.0",
  checks: [problem],
});
