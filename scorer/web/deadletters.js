// Dead letters of one code, newest first: where each is and what was wrong with it. Their contents are not here: nobody is named.
import { getDeadLetters } from "./api.js";
import { address, button, element } from "./dom.js";
import { empty, panel, table } from "./widgets.js";
import { moment } from "./words.js";

const LIMIT = 50;
const place = (topic, partition, offset) => (topic === null || offset === null ? "–" : `${topic}, ${partition}, ${offset}`);

function listed({ query, id }, { dead_letters: letters, next }) {
  if (!letters.length) return empty("None is stored. They are kept where a sink writes to PostgreSQL, as long as retention says.", element("a", { href: address("stream") }, "To the stream"));
  return [table("Dead letters", ["Received", "Code", "Field", "What was wrong", "Record (topic, partition, offset)", "Letter (partition, offset)"],
    letters.map((letter) => [moment(letter.received_at), letter.code, letter.field ?? "–", letter.message, place(letter.topic, letter.partition, letter.offset), letter.dlq_offset === null ? "sink" : `${letter.dlq_partition}, ${letter.dlq_offset}`]), { className: "stacked" }),
  element("p", { class: "row pager" }, query.has("cursor") ? button("‹ Back", () => history.back()) : null, next ? element("a", { class: "button", id: "next", href: address("dead-letters", { id, query: { cursor: next } }) }, "Next ›") : null),
  element("p", { class: "hint" }, "Keys and values are not shown here. producer dlq show prints one letter in full; producer dlq replay sends letters again.")];
}

export function showDeadLetters(context) {
  const { id, query } = context;
  const asked = { limit: LIMIT, ...(id === undefined ? {} : { code: id }), ...(query.has("cursor") ? { cursor: query.get("cursor") } : {}) };
  context.root.append(element("p", { class: "crumbs" }, element("a", { href: address("stream") }, "‹ Stream")), element("h1", {}, id === undefined ? "Dead letters" : `Dead letters: ${id}`),
    panel(context, null, (options) => getDeadLetters(asked, options), (answer) => listed(context, answer)));
}
