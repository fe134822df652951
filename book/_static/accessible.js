// Small repairs to what the theme builds, each for a rule of WCAG that it breaks.
window.addEventListener("load", () => {
  // 2.5.3: the visible text of a control must be part of its accessible name
  document.querySelectorAll("button.search-button-field, summary[aria-label]").forEach((e) => e.removeAttribute("aria-label"));
  // 4.1.2: what unfolds a part of the table of contents says which
  document.querySelectorAll("summary:has(.toctree-toggle)").forEach((e) => {
    const title = e.closest("li").querySelector("a").textContent.trim();
    e.setAttribute("aria-label", `Pages of: ${title}`);
  });
  // the logo in the sidebar lies outside of every landmark
  document.querySelectorAll(".bd-sidebar-primary .navbar-brand").forEach((e) => {
    e.parentElement.setAttribute("role", "navigation");
    e.parentElement.setAttribute("aria-label", "Home");
  });
  // the icons of the theme switch are decoration
  document.querySelectorAll("button.theme-switch-button").forEach((button) => {
    button.querySelectorAll("svg title").forEach((e) => e.remove());
    button.querySelectorAll("[title]").forEach((e) => e.removeAttribute("title"));
    button.querySelectorAll("svg").forEach((e) => { e.setAttribute("aria-hidden", "true"); e.removeAttribute("aria-labelledby"); });
  });
  // 2.1.1: an output or a formula that is wider than its place can be scrolled with the keyboard
  const reach = () => document.querySelectorAll("div.cell_output, div.math").forEach((e) => {
    if (e.scrollWidth > e.clientWidth) e.tabIndex = 0; else e.removeAttribute("tabindex");
  });
  reach();
  window.addEventListener("resize", reach);
  // a policy for content forbids handlers that are written into the page
  document.querySelectorAll("[data-print]").forEach((e) => e.addEventListener("click", () => window.print()));
});
