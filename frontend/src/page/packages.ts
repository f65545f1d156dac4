/** Which Python package brings the module of a widget. */

/** Those that are called otherwise than their module. */
const PACKAGES: Readonly<Record<string, string>> = {
  "@bokeh/jupyter_bokeh": "jupyter-bokeh",
  "@deck.gl/jupyter-widget": "pydeck",
  "@finos/perspective-jupyterlab": "perspective-python",
  "@jupyter-widgets/jupyterlab-sidecar": "sidecar",
  "jupyter-cytoscape": "ipycytoscape",
  "jupyter-datawidgets": "ipydatawidgets",
  "jupyter-gmaps": "gmaps",
  "jupyter-leaflet": "ipyleaflet",
  "jupyter-materialui": "ipymaterialui",
  "jupyter-matplotlib": "ipympl",
  "jupyter-threejs": "pythreejs",
  "jupyter-vue": "ipyvue",
  "jupyter-vuetify": "ipyvuetify",
  "jupyter-webrtc": "ipywebrtc",
  "jupyterlab-plotly": "plotly",
  "keplergl-jupyter": "keplergl",
  "nglview-js-widgets": "nglview",
  plotlywidget: "plotly",
};

const NAMED_ALIKE: ReadonlySet<string> = new Set([
  "anywidget",
  "bqplot",
  "bqscales",
  "ipyaggrid",
  "ipycanvas",
  "ipydatagrid",
  "ipyevents",
  "ipygany",
  "ipysheet",
  "ipytree",
  "ipyvolume",
  "itkwidgets",
  "k3d",
]);

/** The package to install for a module; undefined for a module that nobody here has heard of. */
export function packageOf(module: string): string | undefined {
  return Object.hasOwn(PACKAGES, module) ? PACKAGES[module] : NAMED_ALIKE.has(module) ? module : undefined;
}
