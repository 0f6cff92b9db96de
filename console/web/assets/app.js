import "htmx.org/dist/htmx.esm.js";
import "./live.js";
import "./keys.js";
import "./forms.js";
