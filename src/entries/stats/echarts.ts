import { LineChart, ScatterChart } from 'echarts/charts';
import { GridComponent } from 'echarts/components';
import { init, use } from 'echarts/core';
import { SVGRenderer } from 'echarts/renderers';

// Imported by name, in a module that is loaded at the first chart: so the bundle has no other part of ECharts.
use([LineChart, ScatterChart, GridComponent, SVGRenderer]);

export { init };
