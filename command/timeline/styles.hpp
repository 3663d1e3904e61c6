// How pages and pictures look, in light and in dark. The colours are those of the benchmarks' page
// (tools/benchmark_page/page.css).
#pragma once

namespace command::timeline {

/// Stands in each picture: it may be a file of its own.
inline constexpr const char* picture_style = R"css(
.timeline {
    --ground: #f6f7f9; --panel: #ffffff; --ink: #1a1e25; --quiet: #59626f; --rule: #e1e5ea;
    --accent: #5540c8; --run: #2467b3; --wait: #c3c9d1; --wait-ground: #f0f2f5; --on: #ffffff; --death: #c22f3d; --put: #b4540a; --got: #0f7a6c;
    font: 12px/1 system-ui, -apple-system, "Segoe UI", Roboto, "Helvetica Neue", "DejaVu Sans", sans-serif; fill: var(--ink);
}
@media (prefers-color-scheme: dark) {
    .timeline {
        --ground: #0f1216; --panel: #171b21; --ink: #e9ecf0; --quiet: #a4aebb; --rule: #2a313b;
        --accent: #a797ff; --run: #7db6f5; --wait: #3d4652; --wait-ground: #1f252d; --on: #0f1216; --death: #ff8f8f; --put: #f0a35e; --got: #4fc7b4;
    }
}
.timeline .ground { fill: var(--ground); }
.timeline .band { fill: var(--panel); }
.timeline .focus { fill: none; width: calc(100% - 2px); }
.timeline .row { outline: none; }
.timeline .row:focus-visible .focus { stroke: var(--accent); stroke-width: 2; }
.timeline .axis line { stroke: var(--rule); }
.timeline .axis text, .timeline .quiet { fill: var(--quiet); font-weight: 400; }
.timeline .name { font-size: 12.5px; font-weight: 600; }
.timeline .of-thread { font-weight: 500; }
.timeline .bar.run { fill: var(--run); }
.timeline .bar.task { fill: var(--accent); }
.timeline .bar.wait { fill: url(#waits); }
.timeline .between { fill: var(--wait-ground); }
.timeline .hatch { fill: var(--wait); }
.timeline .bar:hover { opacity: .8; }
.timeline .in { fill: var(--on); pointer-events: none; }
.timeline .in.wait { fill: var(--quiet); paint-order: stroke; stroke: var(--wait-ground); stroke-width: 4px; stroke-linejoin: round; }
.timeline .tick { overflow: visible; }
.timeline .put { fill: var(--put); }
.timeline .got { fill: var(--got); }
.timeline .died line { stroke: var(--death); stroke-width: 3; }
.timeline .left line { stroke: var(--put); stroke-width: 2; }
.timeline .died .note { fill: var(--death); font-weight: 600; }
.timeline .left .note { fill: var(--put); font-weight: 600; }
.timeline .arrows line { stroke: var(--quiet); stroke-width: 1; opacity: .55; pointer-events: none; }
.timeline .arrows .task { stroke: var(--accent); }
)css";

inline constexpr const char* page_style = R"css(
:root {
    color-scheme: light dark;
    --ground: #f6f7f9; --panel: #ffffff; --ink: #1a1e25; --quiet: #59626f; --hair: #dfe3e8; --rule: #e9ecf0;
    --accent: #5540c8; --accent-soft: #eeebfb; --run: #2467b3; --wait: #c3c9d1; --wait-ground: #f0f2f5; --death: #c22f3d; --put: #b4540a; --got: #0f7a6c;
}
@media (prefers-color-scheme: dark) {
    :root {
        --ground: #0f1216; --panel: #171b21; --ink: #e9ecf0; --quiet: #a4aebb; --hair: #2c333d; --rule: #242a33;
        --accent: #a797ff; --accent-soft: #231f3d; --run: #7db6f5; --wait: #3d4652; --wait-ground: #1f252d; --death: #ff8f8f; --put: #f0a35e; --got: #4fc7b4;
    }
}
* { box-sizing: border-box; margin: 0; }
html { -webkit-text-size-adjust: 100%; }
body {
    background: var(--ground); color: var(--ink); padding: 0 clamp(14px, 3vw, 32px) 64px;
    font: 16px/1.5 system-ui, -apple-system, "Segoe UI", Roboto, "Helvetica Neue", "DejaVu Sans", sans-serif;
}
h1 { font-size: clamp(24px, 4vw, 36px); line-height: 1.15; letter-spacing: -.02em; overflow-wrap: anywhere; }
h2 { font-size: 20px; margin-top: 28px; }
header { padding-block: clamp(20px, 4vw, 44px) 14px; }
.lead { font-size: 17px; margin-top: 8px; max-width: 46em; }
.note { color: var(--quiet); font-size: 14px; margin-top: 12px; max-width: 50em; }
:focus-visible { outline: 2px solid var(--accent); outline-offset: 2px; }
ul { list-style: none; padding: 0; }
.legend { display: flex; flex-wrap: wrap; gap: 4px 20px; font-size: 14px; margin-block: 4px 12px; }
.legend li { display: flex; align-items: center; gap: 8px; }
.legend i { width: 26px; height: 13px; border-radius: 3px; flex: none; }
.legend .run { background: var(--run); }
.legend .task { background: var(--accent); }
.legend .wait { background: repeating-linear-gradient(135deg, var(--wait) 0 1.5px, var(--wait-ground) 1.5px 6px); }
.legend .died { width: 3px; background: var(--death); border-radius: 0; }
.legend .put, .legend .got { width: 10px; height: 8px; border-radius: 0; }
.legend .put { background: var(--put); clip-path: polygon(50% 0, 100% 100%, 0 100%); }
.legend .got { background: var(--got); clip-path: polygon(0 0, 100% 0, 50% 100%); }
figure { margin: 0; }
figure svg { display: block; }
.deaths { margin-top: 10px; }
.deaths li { border-left: 3px solid var(--death); background: var(--panel); padding: 8px 12px; margin-top: 6px; overflow-wrap: anywhere; font-size: 15px; }
details { margin-top: 24px; font-size: 14px; }
summary { cursor: pointer; color: var(--accent); padding-block: 4px; width: fit-content; }
.scroll { overflow-x: auto; margin-top: 8px; background: var(--panel); }
table { border-collapse: collapse; font-size: 13px; font-variant-numeric: tabular-nums; width: 100%; }
th, td { padding: 5px 12px; text-align: left; border-top: 1px solid var(--rule); white-space: nowrap; vertical-align: top; }
thead th { border-top: 0; color: var(--quiet); font-weight: 500; }
tbody th { font-weight: 400; }
.right { text-align: right; }
@media print { details:not([open]) { display: none; } body { padding: 0; print-color-adjust: exact; -webkit-print-color-adjust: exact; } }
)css";

}  // namespace command::timeline
