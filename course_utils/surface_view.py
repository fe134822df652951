"""A cortical surface that can be turned with mouse, finger or keys, small enough to travel inside a page.

nilearn's own views (`nilearn.plotting.view_surf`) carry a drawing library of more than a megabyte. This one carries a
mesh, a colour for each vertex and sixty lines of script, needs no network and no running kernel.
"""

import base64
import html

import numpy as np
from IPython.display import HTML
from matplotlib import colormaps

LARGEST_MESH = 65_536  # vertices: indices of triangles travel as two bytes
GREYS = 0.42, 0.68  # of sulci and gyri
PAGE = """<!doctype html><html lang="en"><meta charset="utf-8"><title>{title}</title><style>
body {{ margin: 0; font: 14px sans-serif; color: #111; background: #fff; text-align: center }}
canvas {{ width: 100%; max-width: 520px; aspect-ratio: 4 / 3; touch-action: none; cursor: grab }}
#bar {{ display: inline-block; width: 8em; height: 0.9em; background: linear-gradient(to right, {gradient}) }}
</style><p id="title">{title}</p>
<canvas id="c" width="1040" height="780" tabindex="0" role="img" aria-label="{alt}"></canvas>
<p><label>hemisphere <select id="side">{options}</select></label> &nbsp; &minus;{vmax} <span id="bar"></span> {vmax}</p>
<p>Drag to turn, or use the arrow keys.</p>
<script>
const sides = {sides};
const bytes = text => Uint8Array.from(atob(text), c => c.charCodeAt(0)).buffer;
const canvas = document.getElementById('c'), gl = canvas.getContext('webgl');
if (!gl) document.getElementById('title').textContent = 'This browser cannot draw in three dimensions (WebGL is off).';
else {{
  const compile = (kind, source) => {{
    const shader = gl.createShader(kind); gl.shaderSource(shader, source); gl.compileShader(shader); return shader; }};
  const program = gl.createProgram();
  gl.attachShader(program, compile(gl.VERTEX_SHADER, `attribute vec3 place, normal, colour; uniform mat3 turn;
    varying vec3 shade; void main() {{ vec3 p = turn * place; float light = 0.55 + 0.45 * abs((turn * normal).z);
    shade = colour * light; gl_Position = vec4(p.x * 0.72, p.y * 0.96, -p.z * 0.5, 1.0); }}`));
  gl.attachShader(program, compile(gl.FRAGMENT_SHADER,
    `precision mediump float; varying vec3 shade; void main() {{ gl_FragColor = vec4(shade, 1.0); }}`));
  gl.linkProgram(program); gl.useProgram(program); gl.enable(gl.DEPTH_TEST); gl.clearColor(1, 1, 1, 1);
  const fill = (name, values) => {{ const buffer = gl.createBuffer(), at = gl.getAttribLocation(program, name);
    gl.bindBuffer(gl.ARRAY_BUFFER, buffer); gl.bufferData(gl.ARRAY_BUFFER, values, gl.STATIC_DRAW);
    gl.enableVertexAttribArray(at); gl.vertexAttribPointer(at, 3, gl.FLOAT, false, 0, 0); }};
  let count = 0, yaw = 0, pitch = 0;
  // rows of the turn: to the right, upwards, towards the viewer, who stands behind the head at yaw 0
  const draw = () => {{ const [c, s, d, t] = [Math.cos(yaw), Math.sin(yaw), Math.cos(pitch), Math.sin(pitch)];
    gl.uniformMatrix3fv(gl.getUniformLocation(program, 'turn'), false, [c, s * t, -s * d, -s, c * t, -c * d, 0, d, t]);
    gl.clear(gl.COLOR_BUFFER_BIT | gl.DEPTH_BUFFER_BIT); gl.drawElements(gl.TRIANGLES, count, gl.UNSIGNED_SHORT, 0); }};
  const show = name => {{ const side = sides[name];
    const place = Float32Array.from(new Int16Array(bytes(side.place)), v => v / 32767);
    const faces = new Uint16Array(bytes(side.faces)), normal = new Float32Array(place.length);
    for (let f = 0; f < faces.length; f += 3) {{ const [i, j, k] = [0, 1, 2].map(n => 3 * faces[f + n]);
      const u = [0, 1, 2].map(n => place[j + n] - place[i + n]), v = [0, 1, 2].map(n => place[k + n] - place[i + n]);
      for (let n = 0; n < 3; n++) {{ const [a, b] = [(n + 1) % 3, (n + 2) % 3], x = u[a] * v[b] - u[b] * v[a];
        normal[i + n] += x; normal[j + n] += x; normal[k + n] += x; }} }}
    for (let i = 0; i < normal.length; i += 3) {{ const size = Math.hypot(normal[i], normal[i + 1], normal[i + 2]) || 1;
      for (let n = 0; n < 3; n++) normal[i + n] /= size; }}
    fill('place', place); fill('normal', normal);
    fill('colour', Float32Array.from(new Uint8Array(bytes(side.colour)), v => v / 255));
    gl.bindBuffer(gl.ELEMENT_ARRAY_BUFFER, gl.createBuffer());
    gl.bufferData(gl.ELEMENT_ARRAY_BUFFER, faces, gl.STATIC_DRAW); count = faces.length;
    yaw = name === 'left' ? Math.PI / 2 : -Math.PI / 2; pitch = 0; draw(); }};
  const turn = (x, y) => {{ yaw += x; pitch = Math.max(-1.57, Math.min(1.57, pitch + y)); draw(); }};
  canvas.onpointerdown = e => canvas.setPointerCapture(e.pointerId);
  canvas.onpointermove = e => e.buttons && turn(e.movementX * 0.01, e.movementY * 0.01);
  canvas.onkeydown = e => {{ const step = {{ArrowLeft: [-0.2, 0], ArrowRight: [0.2, 0], ArrowUp: [0, -0.2],
    ArrowDown: [0, 0.2]}}[e.key]; if (step) {{ e.preventDefault(); turn(...step); }} }};
  const select = document.getElementById('side'); select.onchange = () => show(select.value); show(select.value);
}}
</script></html>"""


def _pack(values, kind):
    return base64.b64encode(np.ascontiguousarray(values, dtype=kind).tobytes()).decode()


def _colour(values, background, cmap, vmax, threshold):
    """Give each vertex three bytes: the map's colour, or grey where it is below the threshold or missing."""
    grey = np.where(background > 0, *GREYS)[:, None].repeat(3, axis=1)
    shown = np.nan_to_num(np.abs(values)) >= threshold
    colours = cmap(np.clip((values + vmax) / (2 * vmax), 0, 1))[:, :3]
    return np.where(shown[:, None] & np.isfinite(values)[:, None], colours, grey) * 255


def view_surface(stat_map, background, *, vmax, threshold, alt, title="", cmap="RdBu_r", height=560):
    """Show a map on a surface that can be turned.

    Parameters
    ----------
    stat_map : SurfaceImage, shape (n_vertices,)
        One value a vertex; drawn on its own mesh.
    background : SurfaceImage, shape (n_vertices,)
        Sulcal depth: positive in sulci, which are drawn darker.
    vmax : float
        Colours run from -vmax to vmax, in the unit of the map.
    threshold : float
        Absolute values below it, and NaN, show the background.
    alt : str
        What the picture shows, for those who cannot see it.
    title : str
        Above the picture.
    cmap : str
        A diverging colour map of matplotlib.
    height : int
        Of the frame, in pixels.

    Returns
    -------
    HTML
        For the last line of a cell; the length of its `data` is its size in bytes.

    Raises
    ------
    ValueError
        If map and background have different numbers of vertices, the map holds several maps, a mesh has more than
        65,536 vertices in one hemisphere, or `vmax` is not positive.
    """
    if not vmax > 0:
        raise ValueError(f"Found vmax = {vmax}; expected a positive number: colours run from -vmax to vmax.")
    colours, sides = colormaps[cmap], {}
    for side, mesh in stat_map.mesh.parts.items():
        values, grey = (np.asarray(img.data.parts[side], dtype=float) for img in (stat_map, background))
        if values.size != mesh.n_vertices or grey.size != mesh.n_vertices:
            raise ValueError(
                f"The {side} mesh has {mesh.n_vertices:,} vertices; found {values.size:,} values of the map and "
                f"{grey.size:,} of the background. One value a vertex is needed: is it one map, on this mesh?"
            )
        if mesh.n_vertices > LARGEST_MESH:
            raise ValueError(
                f"The {side} mesh has {mesh.n_vertices:,} vertices; at most {LARGEST_MESH:,} can be shown."
            )
        places = mesh.coordinates - (mesh.coordinates.max(axis=0) + mesh.coordinates.min(axis=0)) / 2
        drawn = _colour(values.ravel(), grey.ravel(), colours, vmax, threshold)
        sides[side] = {
            "place": _pack(places / np.abs(places).max() * 32767, "<i2"),
            "faces": _pack(mesh.faces, "<u2"),
            "colour": _pack(drawn, "u1"),
        }
    stops = ", ".join(
        f"rgb{tuple((np.array(colours(x)[:3]) * 255).astype(int).tolist())}" for x in np.linspace(0, 1, 9)
    )
    page = PAGE.format(
        title=html.escape(title), alt=html.escape(alt, quote=True), gradient=stops, vmax=f"{vmax:g}", sides=sides,
        options="".join(f'<option value="{side}">{side}</option>' for side in sides),
    )  # fmt: skip
    # the div is for IPython, which warns of a bare iframe
    frame = f'srcdoc="{html.escape(page)}" title="{html.escape(title)}" width="100%"'
    return HTML(f'<div><iframe {frame} style="border: 0; height: {height}px"></iframe></div>')
