// The style and the script of the statistics page (stats_page.cc).

#ifndef SKEP_RPC_HTTP_STATS_ASSETS_H_
#define SKEP_RPC_HTTP_STATS_ASSETS_H_

namespace skep {

inline constexpr char kStatsStyle[] = R"css(
:root{color-scheme:light dark;--ink:#1b1f24;--dim:#5b6570;--line:#dde2e7;
--ground:#f4f6f8;--card:#fff;--blue:#1f6feb;--red:#c9302c;--green:#2b8a3e;
--amber:#b36b00;--s1:#8aa4c0;--s2:#1f6feb;--s3:#9c36b5;--s4:#d9480f}
@media(prefers-color-scheme:dark){:root{--ink:#e6edf3;--dim:#97a1ac;--line:#2b323a;
--ground:#0d1117;--card:#161b22;--blue:#58a6ff;--red:#ff7b72;--green:#56d364;
--amber:#e3b341;--s1:#5b6f86;--s2:#58a6ff;--s3:#d2a8ff;--s4:#ffa657}}
*{box-sizing:border-box}
body{margin:0;background:var(--ground);color:var(--ink);
font:14px/1.45 system-ui,-apple-system,"Segoe UI",sans-serif}
main,footer{max-width:1360px;margin:0 auto;padding:0 16px}
header{display:flex;flex-wrap:wrap;align-items:baseline;gap:4px 14px;
padding:18px 0 12px}
h1{font-size:20px;margin:0;overflow-wrap:anywhere}
h2{font-size:15px;margin:26px 0 8px}
h2 small{font-weight:400;margin-left:6px}
.dim,small{color:var(--dim)}
.tiles{display:grid;gap:10px;grid-template-columns:repeat(4,1fr)}
@media(max-width:760px){.tiles{grid-template-columns:repeat(2,1fr)}}
.tile{background:var(--card);border:1px solid var(--line);border-radius:8px;
padding:10px 12px 0;overflow:hidden;display:flex;flex-direction:column}
.tile b{display:block;font-size:22px;font-weight:600;line-height:1.25;
font-variant-numeric:tabular-nums}
.tile span{color:var(--dim);font-size:12px}
.tile .sp{width:calc(100% + 24px);height:34px;margin:4px -12px 0}
.bad b{color:var(--red)}
.sp{display:block;width:110px;height:22px}
.sp polyline{fill:none;stroke:var(--blue);stroke-width:1.5;
vector-effect:non-scaling-stroke}
.sp polygon{fill:var(--blue);opacity:.15}
.sp.red polyline{stroke:var(--red)}.sp.red polygon{fill:var(--red)}
.scroll{overflow-x:auto;background:var(--card);border:1px solid var(--line);
border-radius:8px}
table{border-collapse:collapse;width:100%;font-variant-numeric:tabular-nums}
td,th{padding:7px 9px;border-bottom:1px solid var(--line);text-align:right;
white-space:nowrap;vertical-align:middle}
tr:last-child>td{border-bottom:0}
th{color:var(--dim);font-weight:500;font-size:12px}
td.t,th.t{text-align:left}
td.name{font-weight:500}
.lat{width:160px;height:14px;display:block}
.lat .bed{fill:var(--line);opacity:.5}
.lat .b50{fill:var(--blue)}.lat .b90{fill:var(--blue);opacity:.5}
.lat .b99{fill:var(--blue);opacity:.25}.lat .bmax{fill:var(--red)}
.chip{display:inline-block;border-radius:9px;padding:0 8px;font-size:12px;
border:1px solid currentColor;margin-right:4px}
.up,.ok{color:var(--green)}.down,.err{color:var(--red)}.draining,.ejected{color:var(--amber)}
.stages{display:flex;width:180px;height:12px;border-radius:3px;overflow:hidden;
background:var(--line)}
.stages i{display:block;height:100%}
.q{background:var(--s1)}.h{background:var(--s2)}.e{background:var(--s3)}
.w{background:var(--s4)}
.key{display:inline-flex;align-items:center;gap:5px;margin-right:12px;font-size:12px;
color:var(--dim)}
.key i{width:10px;height:10px;border-radius:2px;display:inline-block}
details{background:var(--card);border:1px solid var(--line);border-radius:8px;
margin-top:8px;padding:8px 12px}
summary{cursor:pointer;overflow-wrap:anywhere}
.shape{width:100%;max-width:760px;display:block;margin:10px 0 2px}
.shape rect{fill:var(--blue)}.shape line{stroke:var(--line)}
.shape text{fill:var(--dim);font-size:10px;text-anchor:middle}
.shape .first{text-anchor:start}.shape .last{text-anchor:end}
.figures{display:grid;gap:2px 24px;
grid-template-columns:repeat(auto-fill,minmax(215px,1fr));
background:var(--card);border:1px solid var(--line);border-radius:8px;
padding:10px 14px}
.figures div{display:flex;justify-content:space-between;gap:8px}
.figures span{color:var(--dim)}
.empty{background:var(--card);border:1px dashed var(--line);border-radius:8px;
padding:14px;color:var(--dim)}
footer{padding-top:22px;padding-bottom:40px;color:var(--dim);font-size:13px}
a{color:var(--blue)}
#lost{display:none;position:sticky;top:0;background:var(--red);color:var(--ground);
padding:8px 16px;text-align:center;font-weight:600}
body.lost #lost{display:block}
body.lost main{opacity:.55}
)css";

// Replaces what changes by a page fetched anew, and leaves open what the reader opened.
inline constexpr char kStatsScript[] = R"js(
"use strict";
let answered = new Date();
async function refresh() {
  if (!document.hidden) {
    try {
      const reply = await fetch(location.href, {
        cache: "no-store", signal: AbortSignal.timeout(5000)});
      const page = new DOMParser().parseFromString(await reply.text(), "text/html");
      const open = [...document.querySelectorAll("details[open]")].map(d => d.id);
      const left = [...document.querySelectorAll(".scroll")].map(s => s.scrollLeft);
      const main = page.querySelector("main");
      for (const id of open) {
        const now = main.querySelector("#" + CSS.escape(id));
        if (now) now.open = true;
      }
      document.querySelector("main").replaceWith(main);
      document.querySelectorAll(".scroll").forEach((s, i) => s.scrollLeft = left[i]);
      document.body.classList.remove("lost");
      answered = new Date();
    } catch (error) {
      document.getElementById("lost").textContent =
          "No answer since " + answered.toLocaleTimeString();
      document.body.classList.add("lost");
    }
  }
  setTimeout(refresh, 2000);
}
setTimeout(refresh, 2000);
)js";

}  // namespace skep

#endif  // SKEP_RPC_HTTP_STATS_ASSETS_H_
