// Lets the slider through a job's history show each version at once. Without scripts, its form has a button.

export function startSlider(page) {
  document.addEventListener("input", ({ target }) => {
    if (!target.matches("input[type=range][name=version]")) return;
    const address = new URL(location.href);
    address.searchParams.delete("at");
    address.searchParams.set("version", target.value);
    if (target.value === target.max) address.searchParams.delete("version"); // The newest one goes on.
    history.replaceState(null, "", address);
    page.look();
  });
}
