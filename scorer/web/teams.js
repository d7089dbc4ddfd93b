// Groups: expected events with their interval, what drives them, and what came true. Small ones are withheld by the service.
import { getGroups, getGroupsCsv } from "./api.js";
import { bars, byExpected } from "./charts.js";
import { element, labelled } from "./dom.js";
import { csvButton, empty, panel, table } from "./widgets.js";
import { capital, moment, number, percent } from "./words.js";

function choose(words) {
  const options = words.groupings.map((column) => [column.name, column.label]);
  const box = (id, rows) => element("select", { id }, ...rows.map(([value, text]) => element("option", { value }, text)));
  const boxes = [box("by", options), box("and-by", [["", "nothing more"], ...options])];
  const go = () => { location.hash = `#/teams?${new URLSearchParams({ by: [...new Set(boxes.map(({ value }) => value).filter(Boolean))].join(",") })}`; };
  for (const each of boxes) each.addEventListener("change", go);
  return boxes;
}

function listed({ words, signal }, by, answer) {
  const { groups, withheld, minimum_group: least, horizon_days: horizon, computed_at: at, is_current: isCurrent } = answer;
  const note = withheld ? element("p", { class: "notice calm" }, `${withheld} ${withheld === 1 ? "group is" : "groups are"} withheld: fewer than ${least} ${words.many}, nearly all alike, or such that others could be had by subtraction.`) : null;
  if (!groups.length) return [empty(`There is nothing that can be shown by this.`), note];
  const name = (group) => by.map((field) => words.member(field, group.members[field])).join(", ");
  return [note,
    element("section", { class: "card" }, element("h2", {}, `Expected ${words.events} in ${horizon} days`),
      bars(`Expected ${words.events}`, byExpected(groups).map((group) => ({ name: name(group), value: group.expected_exits, low: group.expected_low, high: group.expected_high, text: `${number(group.expected_exits)}`, note: `${number(group.expected_low)} to ${number(group.expected_high)}` }))),
      element("p", { class: "hint" }, "The line is the interval of 95 %.")),
    element("section", { class: "card" }, element("h2", {}, "Expected and realised"),
      table("Groups", [by.map((field) => words.label(field)).join(", "), capital(words.many), "Expected", "Expected share", `Realised, last ${horizon} days`, "At risk", "Commonest reasons"], groups.map((group) => [name(group), number(group.employees), number(group.expected_exits), percent(group.expected_exits / group.employees, 0), number(group.realised_exits),
        percent(group.flagged_share, 0), group.drivers.map((driver) => words.label(driver.feature)).join(", ") || "–"]), { className: "stacked" }),
      element("p", { class: "hint" }, `The largest expected share comes first. Computed ${moment(at)}, once a day${isCurrent ? "" : "; today's figures are not there yet"}; nobody is named here.`),
      element("p", {}, ...csvButton(words.groups, async () => [(await getGroupsCsv({ by: by.join(",") }, { signal })).text])))];
}

export function showTeams(context) {
  const { words } = context;
  context.root.append(element("h1", {}, capital(words.groups)));
  if (!words.groupings.length) { context.root.append(empty("The schema marks no attribute as a group or unit.")); return null; }
  const [first, second] = choose(words);
  let list = null;
  const show = (now) => { // the boxes stay, with the focus
    const by = (now.query.get("by") || words.firstGrouping.name).split(",");
    [first.value, second.value] = [by[0], by[1] ?? ""];
    list?.remove();
    list = panel(now, null, (options) => getGroups({ by: by.join(",") }, options), (answer) => listed(now, by, answer), { className: "stack" });
    now.root.append(list);
  };
  context.root.append(element("div", { class: "row tools" }, labelled("By", first), labelled("and by", second)));
  show(context);
  return show;
}
