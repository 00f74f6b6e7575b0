/** All styles of the page, in their order. */
import 'uplot/dist/uPlot.min.css';
import './theme.css';
import './page.css';
import './segmented.css';
import './controls.css';
import './place.css';
import './heatmap.css';
import './plots.css';
import './completion.css';
