// Draws a classic dashboard (dashboard.json, built in) with the packages of Grafana's own front end, on the data of the
// Prometheus in ?prom=, from ?from= to ?to= (milliseconds). It proves queries, variables, units, thresholds, overrides,
// transformations and layout. state-timeline, status-history and heatmap are not published as packages: they are drawn as
// plain coloured rows, so that their queries, names and values can still be seen.
import React from 'react';
import { createRoot } from 'react-dom/client';
import { MemoryRouter } from 'react-router-dom';
import { Observable, from } from 'rxjs';
import * as D from '@grafana/data';
import { config, setBackendSrv, setPluginImportUtils, setRunRequest, setDataSourceSrv, setTemplateSrv, setEchoSrv, LocationServiceProvider, locationService, setAppEvents, setReturnToPreviousHook, setPluginLinksHook, setPluginComponentsHook, setPluginExtensionsHook } from '@grafana/runtime';
import * as R from '@grafana/runtime';
import { TimeSeries, Table, BigValue, BarGauge, VizRepeater, GlobalStyles, PortalContainer, TooltipPlugin2, BigValueColorMode } from '@grafana/ui';
import { TableNG } from '@grafana/ui/unstable';
import { PanelContextProvider } from '@grafana/ui';
import * as S from '@grafana/scenes';
import dashboard from './dashboard.json';

const ASKED = new URLSearchParams(location.search);
const PROM = ASKED.get('prom')!;
const FROM = Number(ASKED.get('from'));
const TO = Number(ASKED.get('to'));
const theme = D.createTheme({ colors: { mode: 'dark' } });
(config as any).theme2 = theme;
(window as any).__grafanaSceneContext = undefined;
const errs: any[] = ((window as any).ERRS = []);

// standard field options + transformers: what the Grafana core app registers at boot
const std = (id: string, process: any, extra: any = {}) => ({ id, path: id, name: id, description: '', editor: () => null, override: () => null, process, shouldApply: () => true, settings: {}, getItemsCount: undefined, ...extra });
D.standardFieldConfigEditorRegistry.setInit(() => [
  std('unit', D.unitOverrideProcessor), std('min', D.numberOverrideProcessor), std('max', D.numberOverrideProcessor), std('fieldMinMax', D.booleanOverrideProcessor),
  std('decimals', D.numberOverrideProcessor), std('displayName', D.displayNameOverrideProcessor), std('color', D.identityOverrideProcessor),
  std('noValue', D.stringOverrideProcessor), std('links', D.dataLinksOverrideProcessor), std('mappings', D.valueMappingsOverrideProcessor, { defaultValue: [] }),
  std('thresholds', D.thresholdsOverrideProcessor, { defaultValue: { mode: 'absolute', steps: [{ value: -Infinity, color: 'green' }, { value: 80, color: 'red' }] } }),
  std('filterable', D.booleanOverrideProcessor),
] as any);
D.standardEditorsRegistry.setInit(() => ['string','text','number','boolean','slider','select','multi-select','color','links','mappings','thresholds','unit','stats-picker','timezone','field-name','radio','strings','fieldColor','datasource','actions','dashboard-uid'].map((id) => ({ id, name: id, editor: () => null })) as any);
D.standardTransformersRegistry.setInit(() => [...new Map(Object.values(D.standardTransformers).map((t: any) => [t.id, t])).values()].map((t: any) => ({ id: t.id, name: t.name, transformation: async () => t, editor: () => null, imageDark: '', imageLight: '' })) as any);

// ---- prometheus data source (small: range + instant + label_values)
async function prom(path: string, p: Record<string, string>) {
  const r = await fetch(PROM + path + '?' + new URLSearchParams(p)); const j = await r.json();
  if (j.status !== 'success') throw new Error(p.query + ': ' + j.error); return j.data;
}
class PromDS extends S.RuntimeDataSource<any> {
  constructor() { super('prometheus-rt', 'prom'); }
  query(req: any): any { return from(this.run(req)); }
  async run(req: any) {
    const data: any[] = [];
    for (const t of req.targets) {
      // The samples of the week are four minutes apart: a narrower bar would hold none.
      const least = t.interval ? Math.max(900, D.rangeUtil.intervalToSeconds(t.interval)) : 240;
      const step = Math.max(least, Math.ceil(req.intervalMs / 1000)); const rate = Math.max(4 * step, 960);
      const sv = { ...req.scopedVars, __rate_interval: { text: rate + 's', value: rate + 's' }, __interval: { text: step + 's', value: step + 's' }, __range: { text: Math.round((TO - FROM) / 1000) + 's', value: Math.round((TO - FROM) / 1000) + 's' } };
      const expr = R.getTemplateSrv().replace(t.expr, sv, (v: any) => Array.isArray(v) ? '(' + v.join('|') + ')' : v);
      const legend = (m: any) => t.legendFormat ? t.legendFormat.replace(/\{\{\s*(.+?)\s*\}\}/g, (_: any, k: string) => m[k] ?? '') : JSON.stringify(m);
      try {
        if (t.instant && !t.range) {
          const d = await prom('/api/v1/query', { query: expr, time: String(req.range.to.valueOf() / 1000) });
          if (t.format === 'table') {
            const labels = [...new Set(d.result.flatMap((s: any) => Object.keys(s.metric)))] as string[];
            data.push(D.toDataFrame({ refId: t.refId, fields: [{ name: 'Time', type: 'time', values: d.result.map((s: any) => s.value[0] * 1000) }, ...labels.map((l) => ({ name: l, type: 'string', values: d.result.map((s: any) => s.metric[l]) })), { name: 'Value #' + t.refId, type: 'number', values: d.result.map((s: any) => +s.value[1]) }] }));
          } else for (const s of d.result) data.push(D.toDataFrame({ refId: t.refId, fields: [{ name: 'Time', type: 'time', values: [s.value[0] * 1000] }, { name: 'Value', type: 'number', labels: s.metric, values: [+s.value[1]], config: { displayNameFromDS: legend(s.metric) } }] }));
        } else {
          const d = await prom('/api/v1/query_range', { query: expr, start: String(Math.floor(FROM / 1000 / step) * step), end: String(TO / 1000), step: String(step) });
          for (const s of d.result) data.push(D.toDataFrame({ refId: t.refId, fields: [{ name: 'Time', type: 'time', values: s.values.map((v: any) => v[0] * 1000), config: { interval: step * 1000 } }, { name: 'Value', type: 'number', labels: s.metric, values: s.values.map((v: any) => +v[1]), config: { displayNameFromDS: legend(s.metric) } }] }));
        }
        (window as any).STATS = { ...(window as any).STATS, [expr]: data.length };
      } catch (e: any) { errs.push(String(e)); throw e; }
    }
    return { data, state: D.LoadingState.Done };
  }
  async metricFindQuery(q: any) {
    const s = R.getTemplateSrv().replace(typeof q === 'string' ? q : q.query, {}, (v: any) => Array.isArray(v) ? '(' + v.join('|') + ')' : v);
    const m = s.match(/^label_values\((?:(.+),\s*)?(\w+)\)$/); if (!m) throw new Error('unsupported ' + s);
    const d = await prom('/api/v1/label/' + m[2] + '/values', m[1] ? { 'match[]': m[1], start: String(FROM / 1000), end: String(TO / 1000) } : {});
    return d.map((v: string) => ({ text: v, value: v }));
  }
  async testDatasource() { return { status: 'success', message: '' }; }
}
const ds = new PromDS();
const inst = { uid: 'prom', id: 1, type: 'prometheus', name: 'prom', meta: { id: 'prometheus', name: 'Prometheus', info: { logos: { small: '', large: '' } }, type: 'datasource' }, access: 'proxy', jsonData: {}, readOnly: true };
(ds as any).meta = inst.meta; (ds as any).getRef = () => ({ type: 'prometheus', uid: 'prom' });
setDataSourceSrv({ get: async () => ds as any, getInstanceSettings: () => inst as any, getList: () => [inst] as any, reload() {}, registerRuntimeDataSource() {} } as any);
setRunRequest(((d: any, req: any) => new Observable((o) => { o.next({ state: D.LoadingState.Loading, series: [], timeRange: req.range }); d.run(req).then((r: any) => { o.next({ ...r, series: r.data, timeRange: req.range, request: req }); o.complete(); }, (e: any) => { o.next({ state: D.LoadingState.Error, series: [], errors: [{ message: String(e) }], error: { message: String(e) }, timeRange: req.range }); o.complete(); }); })) as any);
const bus = new D.EventBusSrv(); setAppEvents(bus as any); (R as any).setEchoSrv?.({ flush() {}, addBackend() {}, addEvent() {} });
setTemplateSrv({ replace: (s: any, sv: any, f: any) => S.sceneGraph.interpolate((window as any).SCENE, s, sv, f), getVariables: () => [], containsTemplate: () => false, updateTimeRange() {} } as any);
for (const k of Object.keys(R)) if (/^set.*Hook$/.test(k)) try{(R as any)[k](() => ({ links: [], components: [], functions: [], extensions: [], isLoading: false }));}catch(e){}

// ---- panel plugins made of @grafana/ui visual components
const disp = (p: any) => D.getFieldDisplayValues({ fieldConfig: p.fieldConfig, reduceOptions: p.options.reduceOptions ?? { calcs: ['lastNotNull'], values: false }, replaceVariables: p.replaceVariables, theme, data: p.data.series, sparkline: p.options.graphMode === 'area', timeZone: 'utc' } as any);
const TS = (p: any) => { if (!p.data.series.length) return <div style={{ color: theme.colors.text.secondary, padding: 8 }}>{p.fieldConfig?.defaults?.noValue ?? 'No data'}</div>; const frames = D.sortDataFrame ? p.data.series : p.data.series; const lg = { showLegend: true, displayMode: 'list', placement: 'bottom', calcs: [], ...p.options.legend };
  return <PanelContextProvider value={{ eventBus: bus, eventsScope: 'g' , sync: () => 0 } as any}><TimeSeries frames={frames} structureRev={p.data.structureRev} timeRange={p.timeRange} timeZone="utc" width={p.width} height={p.height} legend={lg} replaceVariables={p.replaceVariables} dataLinkPostProcessor={undefined as any} cursorSync={0 as any} /></PanelContextProvider> };
const Stat = (p: any) => <VizRepeater source={p.data} getValues={() => disp(p)} width={p.width} height={p.height} orientation={'auto' as any} renderCounter={p.renderCounter} autoGrid renderValue={(v: any) => <BigValue value={v.value.display} sparkline={v.value.sparkline} width={v.width} height={v.height} theme={theme as any} colorMode={p.options.colorMode} graphMode={p.options.graphMode} justifyMode={'auto' as any} textMode={p.options.textMode} />} />;
const BG = (p: any) => <VizRepeater source={p.data} getValues={() => disp(p)} width={p.width} height={p.height} orientation={'horizontal' as any} itemSpacing={10} renderCounter={p.renderCounter} getAlignmentFactors={(v: any) => D.getDisplayValueAlignmentFactors(v)} renderValue={(v: any) => <BarGauge value={v.value.display} field={v.value.field} display={v.value.view ? v.value.view.getFieldDisplayProcessor(v.value.colIndex) : undefined} width={v.width} height={v.height} orientation={'horizontal' as any} displayMode={p.options.displayMode} theme={theme as any} showUnfilled valueDisplayMode={'color' as any} alignmentFactors={v.alignmentFactors} itemSpacing={8} lcdCellWidth={12} />} />;
const named = (frame: any) => { D.cacheFieldDisplayNames([frame]); return frame; };
const Tbl = (p: any) => p.data.series[0] ? <TableNG data={named(p.data.series[0])} width={p.width} height={p.height} timeRange={p.timeRange} showTypeIcons={false} cellHeight={'sm' as any} {...({} as any)} /> : null;
const plugins: any = {}; setPluginImportUtils({ importPanelPlugin: async (id: string) => plugins[id], getPanelPluginFromCache: (id: string) => plugins[id] } as any);
const std2 = Object.values(D.FieldConfigProperty);
const mk = (id: string, C: any, custom?: string[]) => { const pl = new D.PanelPlugin(C); pl.meta = { id, name: id, info: { version: '13', logos: { small: '', large: '' } }, module: '', baseUrl: '', sort: 1, type: 'panel' } as any; pl.useFieldConfig({ standardOptions: id === 'timeseries' ? { [D.FieldConfigProperty.Color]: { defaultValue: { mode: 'palette-classic' }, settings: { byValueSupport: true } } } as any : {}, useCustomConfig: (b: any) => { for (const c of custom ?? []) b.addCustomEditor({ id: c, path: c, name: c, editor: () => null, override: () => null, process: D.identityOverrideProcessor, shouldApply: () => true }); } } as any); plugins[id] = plugins[id + '-rt'] = pl; (config as any).panels[id + '-rt'] = pl.meta; return pl; };
const cust = ['drawStyle','lineWidth','fillOpacity','showPoints','stacking','thresholdsStyle','lineInterpolation','pointSize','spanNulls','axisPlacement','scaleDistribution','hideFrom','gradientMode','lineStyle','axisLabel','cellOptions','width','minWidth','align','inspect'];
const Rows = (p: any) => <div style={{ overflow: 'auto', height: p.height, fontSize: 11, color: theme.colors.text.primary }}>{p.data.series.map((f: any, i: number) => { const v = f.fields.find((x: any) => x.type === 'number' || x.name === 'Value'); if (!v) return null; const step = Math.max(1, Math.floor(v.values.length / 120));
  return <div key={i} style={{ display: 'flex', alignItems: 'center', margin: '1px 0' }}><span style={{ width: 220, flex: 'none' }}>{D.getFieldDisplayName(v, f, p.data.series)}</span><span style={{ display: 'flex', flex: 1, height: 14 }}>{Array.from(v.values).filter((_: any, k: number) => k % step === 0).map((x: any, k: number) => { const d = v.display ? v.display(x) : { color: '#888', text: String(x) }; return <i key={k} title={d.text} style={{ flex: 1, background: d.color }} />; })}</span></div>; })}</div>;
const Text = (p: any) => <div style={{ overflow: 'auto', height: p.height, whiteSpace: 'pre-wrap', color: theme.colors.text.primary }}>{p.options.content}</div>;
for (const [id, C] of [['timeseries', TS], ['stat', Stat], ['gauge', BG], ['bargauge', BG], ['table', Tbl], ['state-timeline', Rows], ['status-history', Rows], ['heatmap', Rows], ['text', Text]] as any) mk(id, C, cust);

// ---- classic JSON -> scene
const vars = (dashboard as any).templating.list.map((v: any) => v.type === 'datasource' ? new S.DataSourceVariable({ name: v.name, label: v.label, pluginId: v.query, value: 'prom', text: 'prom' })
  : v.type === 'interval' ? new S.IntervalVariable({ name: v.name, label: v.label, intervals: v.query.split(','), value: v.current?.value ?? v.query.split(',')[0] } as any)
  : v.type === 'custom' ? new S.CustomVariable({ name: v.name, label: v.label, query: v.query, isMulti: v.multi, includeAll: v.includeAll, value: v.current?.value, text: v.current?.text } as any)
  : v.type === 'textbox' ? new S.TextBoxVariable({ name: v.name, label: v.label, value: v.query ?? '' } as any)
  : v.type === 'constant' ? new S.ConstantVariable({ name: v.name, value: v.query } as any)
  : new S.QueryVariable({ name: v.name, label: v.label, query: v.query, datasource: v.datasource, isMulti: v.multi, includeAll: v.includeAll, allValue: v.allValue, value: v.current?.value ?? '$__all', text: v.current?.text ?? 'All', refresh: v.refresh }));
const item = (p: any) => { const q = new S.SceneQueryRunner({ datasource: { uid: 'prom', type: 'prometheus' }, queries: p.targets });
  const $data = p.transformations ? new S.SceneDataTransformer({ $data: q, transformations: p.transformations }) : q;
  return new S.SceneGridItem({ x: p.gridPos.x, y: p.gridPos.y, width: p.gridPos.w, height: p.gridPos.h, body: new S.VizPanel({ title: p.title, description: p.description, pluginId: p.type + '-rt', $data, options: p.options, fieldConfig: p.fieldConfig } as any) }); };
const scene = new S.EmbeddedScene({ $timeRange: new S.SceneTimeRange({ from: new Date(FROM).toISOString(), to: new Date(TO).toISOString(), timeZone: 'utc' }), $variables: new S.SceneVariableSet({ variables: vars }), controls: [new S.VariableValueSelectors({}), new S.SceneControlsSpacer(), new S.SceneTimePicker({}), new S.SceneRefreshPicker({})], body: new S.SceneGridLayout({ children: (dashboard as any).panels.map((p: any) => p.type === 'row' ? new S.SceneGridRow({ title: p.title, y: p.gridPos.y, isCollapsible: false, children: [] }) : item(p)) }) } as any);
(window as any).SCENE = scene;
class EB extends React.Component<any, any> { state = { e: null as any }; static getDerivedStateFromError(e: any) { return { e }; } componentDidCatch(e: any) { errs.push(String(e && e.stack)); } render() { return this.state.e ? <pre style={{ color: 'red' }}>{String(this.state.e.stack)}</pre> : this.props.children; } }
const C = (scene as any).Component;
createRoot(document.getElementById('root')!).render(<EB><D.ThemeContext.Provider value={theme}><GlobalStyles /><MemoryRouter><LocationServiceProvider service={locationService}><div style={{ display: 'flex', minHeight: '100vh', flexDirection: 'column', padding: 16, background: theme.colors.background.canvas }}><h3 style={{ color: theme.colors.text.primary }}>{(dashboard as any).title}</h3><C model={scene} /></div></LocationServiceProvider></MemoryRouter></D.ThemeContext.Provider></EB>);
