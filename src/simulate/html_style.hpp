#pragma once

#include <string_view>

namespace reeve::simulate {

/// The style sheet of a report. c0 to c5 are the colours of lines, d0 to d2 their dashes.
inline constexpr std::string_view kReportStyle = R"(
:root { color-scheme: light dark; --page: #f6f7f9; --card: #fff; --text: #1c2430; --soft: #5b6675;
  --edge: #dfe3e9; --grid: #e9ecf1; --node: #f0f2f5; --c0: #1f6fd1; --c1: #d4541b; --c2: #0f8f6b;
  --c3: #9b46c4; --c4: #a97c00; --c5: #6d7785; }
@media (prefers-color-scheme: dark) { :root { --page: #12161c; --card: #1a2029; --text: #e4e8ee;
  --soft: #9aa6b5; --edge: #2d3643; --grid: #28303b; --node: #232b36; --c0: #62a4f5; --c1: #f58450;
  --c2: #35c79b; --c3: #cb91ee; --c4: #dfb347; --c5: #9aa4b2; } }
* { box-sizing: border-box; }
body { margin: 0; background: var(--page); color: var(--text);
  font: 15px/1.5 system-ui, -apple-system, "Segoe UI", Roboto, sans-serif; }
main { max-width: 1160px; margin: 0 auto; padding: 28px 20px 60px; }
h1 { font-size: 24px; line-height: 1.25; margin: 0 0 4px; overflow-wrap: anywhere; }
h2 { font-size: 17px; margin: 30px 0 10px; }
.facts, .small, .notes, figcaption span { color: var(--soft); }
.facts { margin: 0 0 14px; overflow-wrap: anywhere; }
.small { font-size: 13px; margin: 8px 0 16px; }
.notes { font-size: 13px; margin: 0 0 16px; padding-left: 18px; }
.partial { border-left: 4px solid var(--c1); background: var(--card); padding: 8px 14px; }
.table { overflow-x: auto; background: var(--card); border: 1px solid var(--edge); border-radius: 8px; }
table { border-collapse: collapse; width: 100%; font-size: 13px; white-space: nowrap; }
th, td { padding: 7px 7px; text-align: left; border-bottom: 1px solid var(--grid); }
tbody tr:last-child td { border-bottom: 0; }
th { color: var(--soft); font-weight: 500; white-space: normal; vertical-align: bottom; line-height: 1.25; }
.n { text-align: right; font-variant-numeric: tabular-nums; }
.best { font-weight: 700; }
.legend { display: flex; flex-wrap: wrap; gap: 4px 18px; font-size: 13px; padding: 8px 0;
  background: var(--page); }
.table ~ .legend:first-of-type { position: sticky; top: 0; }
.legend span { display: inline-flex; align-items: center; gap: 6px; }
.legend i { width: 12px; height: 12px; border-radius: 3px; display: inline-block; }
figure { margin: 0 0 14px; background: var(--card); border: 1px solid var(--edge); border-radius: 8px;
  padding: 12px 14px 6px; }
figcaption { font-size: 13px; margin-bottom: 4px; }
svg { display: block; width: 100%; height: auto; }
.legend svg { width: 26px; height: 10px; }
.two { display: grid; gap: 14px; grid-template-columns: repeat(auto-fit, minmax(min(420px, 100%), 1fr)); }
.two figure { margin: 0; }
.grid path { stroke: var(--grid); fill: none; } .grid .base, .grid .tick { stroke: var(--edge); }
.label text, text.label { font-size: 11px; fill: var(--soft); }
.line { fill: none; stroke: currentColor; stroke-width: 1.6; stroke-linejoin: round; }
.line:hover { stroke-width: 3.2; }
.c0 { color: var(--c0); } .c1 { color: var(--c1); } .c2 { color: var(--c2); } .c3 { color: var(--c3); }
.c4 { color: var(--c4); } .c5 { color: var(--c5); }
.d0 { stroke-dasharray: 1.5 3.5; stroke-linecap: round; } .d2 { stroke-dasharray: 7 4; }
.node { fill: var(--node); }
.bars rect { stroke: var(--card); stroke-width: .5; }
.gang { fill: var(--c3); background: var(--c3); } .many { fill: var(--c0); background: var(--c0); }
.one { fill: var(--c2); background: var(--c2); } .share { fill: var(--c4); background: var(--c4); }
.bars g:hover rect { fill: var(--text); }
details { margin-bottom: 10px; } summary { cursor: pointer; font-size: 14px; padding: 6px 0; }
)";

}  // namespace reeve::simulate
