function render({ model, el }) {
  const draw = () => {
    el.replaceChildren(...[1, 2, 3, 4, 5].map((number) => {
      const star = document.createElement("button");
      star.textContent = number <= model.get("value") ? "★" : "☆";
      star.ariaLabel = `${number} of 5`;
      star.onclick = () => { model.set("value", number); model.save_changes(); };
      return star;
    }));
  };
  model.on("change:value", draw);
  draw();
}
export default { render };
