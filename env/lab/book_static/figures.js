// Draws the figures of a page with the plotly.js that the book itself serves.
(() => {
  "use strict";

  const css = (name, otherwise) =>
    getComputedStyle(document.documentElement).getPropertyValue(name).trim() || otherwise;

  // Axes, text and background take the colours of the page, so that a figure can be read in the dark too.
  const colours = (layout) => {
    const text = css("--pst-color-text-base", "#222");
    const line = css("--pst-color-border", "#ccc");
    const paper = css("--pst-color-background", "#fff");
    const look = {
      paper_bgcolor: "rgba(0,0,0,0)",
      plot_bgcolor: "rgba(0,0,0,0)",
      "font.color": text,
      "hoverlabel.bgcolor": paper,
      "hoverlabel.font.color": text,
      "hoverlabel.bordercolor": line,
      "modebar.bgcolor": "rgba(0,0,0,0)",
      "modebar.color": text,
    };
    const axes = Object.keys(layout).filter((name) => /^[xy]axis\d*$/.test(name));
    for (const axis of new Set(["xaxis", "yaxis", ...axes])) {
      look[`${axis}.gridcolor`] = line;
      look[`${axis}.linecolor`] = line;
      look[`${axis}.zerolinecolor`] = line;
    }
    return look;
  };

  const start = () => {
    const figures = [...document.querySelectorAll(".lab-figure")];
    if (!window.Plotly) {
      for (const figure of figures) {
        figure.querySelector(".lab-plot").textContent =
          "plotly.js did not load, so this figure is not drawn; its description follows.";
      }
      console.error("plotly.js did not load: is _static/plotly.min.js beside the book?");
      return;
    }
    const drawn = figures.map((figure) => {
      const place = figure.querySelector(".lab-plot");
      const { data, layout, frames } = JSON.parse(figure.querySelector("script").textContent);
      const config = { responsive: true, displaylogo: false };
      return window.Plotly.newPlot(place, { data, layout: { ...layout, autosize: true }, config, frames })
        .then(() => window.Plotly.relayout(place, colours(place.layout)))
        .then(() => place);
    });
    const repaint = () =>
      drawn.forEach((one) => one.then((place) => window.Plotly.relayout(place, colours(place.layout))));
    new MutationObserver(repaint).observe(document.documentElement, {
      attributes: true,
      attributeFilter: ["data-theme"],
    });
  };

  if (document.readyState === "loading") document.addEventListener("DOMContentLoaded", start);
  else start();
})();
