import { createChart } from "lightweight-charts";
import uPlot from "uplot";

document.title = `${document.title} ${uPlot.name} ${createChart.name}`;
