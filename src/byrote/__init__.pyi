__version__: str

# audits
from .audits.assertions import assert_chance_on_random_labels as assert_chance_on_random_labels
from .audits.assertions import assert_learns as assert_learns
from .audits.assertions import assert_no_leakage as assert_no_leakage
from .audits.audit import Audit as Audit
from .audits.audit import audit as audit

# charts
from .charts.figure import Figure as Figure
from .charts.sections import PageTable as PageTable
from .charts.sections import Presentation as Presentation
from .charts.sections import Section as Section

# data
from .data.check import Check as Check
from .data.corruptions.application import corrupt as corrupt
from .data.corruptions.contract import CorruptionContext as CorruptionContext
from .data.corruptions.contract import InputCorruption as InputCorruption
from .data.corruptions.contract import LabelCorruption as LabelCorruption
from .data.corruptions.record import Corruption as Corruption
from .data.dataset import Dataset as Dataset
from .data.dataset import Split as Split
from .data.sources import from_arrays as from_arrays
from .data.sources import load as load

# errors
from .errors import StoreError as StoreError
from .errors import UserError as UserError
from .evidence.attribution import Attribution as Attribution
from .evidence.attribution import attribute as attribute
from .evidence.data_worth import Worth as Worth
from .evidence.data_worth import worth as worth

# evidence
from .evidence.finding import Finding as Finding

# models
from .models.catalog import build_model as build_model

# recording
from .recording.recorder import Recorder as Recorder
from .recording.recording import Recording as Recording
from .references import name_of as name_of

# report
from .report.page import write_report as write_report

# runs
from .runs.judge import judge as judge
from .runs.local import Local as Local
from .runs.on_ray import Ray as Ray
from .runs.run import RunsFailed as RunsFailed
from .runs.run import run as run
from .runs.store import Store as Store

# studies
from .studies.architectures.study import ArchitectureStudy as ArchitectureStudy
from .studies.bounds.study import BoundsStudy as BoundsStudy
from .studies.design import ModelStudy as ModelStudy
from .studies.expressivity.study import ExpressivityStudy as ExpressivityStudy
from .studies.implicit.study import ImplicitStudy as ImplicitStudy
from .studies.judge.study import JudgeStudy as JudgeStudy
from .studies.judge.zoo import ZooStudy as ZooStudy
from .studies.judge.zoo import zoo_study as zoo_study
from .studies.largest_n.study import LargestNStudy as LargestNStudy
from .studies.memorization.study import MemorizationStudy as MemorizationStudy
from .studies.min_norm.study import MinNormStudy as MinNormStudy
from .studies.overparameterization.study import OverparameterizationStudy as OverparameterizationStudy
from .studies.rademacher.shattering import ShatteringStudy as ShatteringStudy
from .studies.rademacher.study import RademacherStudy as RademacherStudy
from .studies.randomization.study import RandomizationStudy as RandomizationStudy
from .studies.regularization.study import RegularizationStudy as RegularizationStudy
from .studies.stability.study import StabilityStudy as StabilityStudy
from .studies.strengths.study import StrengthStudy as StrengthStudy
from .studies.study import Planned as Planned
from .studies.study import Results as Results
from .studies.study import Study as Study
from .studies.study import tabulate as tabulate
from .studies.study import tabulate_calculations as tabulate_calculations
from .studies.table1.study import Table1Study as Table1Study
from .studies.table2.study import Table2Study as Table2Study
from .studies.table4.study import Table4Study as Table4Study

# theory
from .theory.calculation import Calculation as Calculation
from .theory.calculation import Computed as Computed
from .theory.calculation import Context as Context
from .theory.calculation import Result as Result
from .theory.kernels.min_norm import MinNormClassifier as MinNormClassifier
from .theory.kernels.min_norm import MinNormRegressor as MinNormRegressor
from .theory.measures.measure import Measure as Measure
from .theory.measures.measure import TrainingSet as TrainingSet
from .theory.memorizers.memorizer import DeepMemorizer as DeepMemorizer
from .theory.memorizers.memorizer import Memorizer as Memorizer
from .theory.memorizers.memorizer import deep_memorizer as deep_memorizer
from .theory.memorizers.memorizer import memorizer as memorizer
from .theory.memorizers.override import OverriddenNetwork as OverriddenNetwork
from .theory.memorizers.override import override as override

# training
from .training.engine import train as train
from .training.outcome import Progress as Progress
from .training.outcome import TrainOutcome as TrainOutcome
from .training.recipe import Recipe as Recipe
from .training.spec import TrainSpec as TrainSpec
