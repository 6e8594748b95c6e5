! SPDX-License-Identifier: BSD-3-Clause
! Copyright (c) The leastsq developers

!> What is remembered of fits that advance in lockstep between two evaluations, and what becomes of them.
!>
!> A lane is one fit of a group. Lane indices come first in every array, so that each statement about a group is
!> one SIMD instruction or two. The state of a group is one array (width, slots): the scalars named below, the
!> vectors (n each), and the triangle R with the head of Qᵀ f (n, n + 1).
module lane_kinds
    use kinds, only: wp
    implicit none (type, external)
    private

    integer, parameter, public :: most_width = 16   !! lanes of the widest group, see lane_widths
    !> Rows evaluated and folded at once, few enough for the first cache. Columns are width*lane_rows numbers apart:
    !> were that a power of two, loads from one column would wait for stores to another.
    integer, parameter, public :: lane_rows = 52
    integer, parameter, public :: most_parameters = 20      !! of a model
    integer, parameter, public :: most_predictors = 8       !! of a model

    ! Scalars.
    integer, parameter, public :: of_stage = 1      !! what the next residuals are for, one of the stages below
    integer, parameter, public :: of_nfev = 2       !! evaluations of the residuals so far
    integer, parameter, public :: of_first = 3      !! 1 until the first step is accepted, then 0
    integer, parameter, public :: of_fnorm = 4      !! ‖f‖ at x
    integer, parameter, public :: of_gnorm = 5      !! largest cosine between f and a column of J
    integer, parameter, public :: of_xnorm = 6      !! ‖D x‖
    integer, parameter, public :: of_pnorm = 7      !! ‖D step‖
    integer, parameter, public :: of_linear = 8     !! ‖J step‖
    integer, parameter, public :: of_delta = 9      !! the step bound
    integer, parameter, public :: of_par = 10       !! the damping parameter
    integer, parameter, public :: scalars = 10

    ! Vectors.
    integer, parameter, public :: of_x = 1          !! best point so far
    integer, parameter, public :: of_trial = 2      !! where to evaluate next
    integer, parameter, public :: of_diag = 3       !! the scaling D
    integer, parameter, public :: vectors = 3

    real(wp), parameter, public :: stage_idle = -1.0_wp     !! no fit in this lane
    real(wp), parameter, public :: stage_start = 0.0_wp     !! residuals at the start
    real(wp), parameter, public :: stage_trial = 1.0_wp     !! residuals at x + step

    ! What a judgement or a step leaves behind for each lane, besides MINPACK's exit codes.
    integer, parameter, public :: lane_rejected = -1    !! runs on with a shorter step
    integer, parameter, public :: lane_accepted = -2    !! runs on from the new point, whose Jacobian is due
    integer, parameter, public :: lane_ejected = -3     !! to be fitted again by itself, with pivoting
    integer, parameter, public :: lane_idle = -4        !! nothing to do
    integer, parameter, public :: lane_stopped = -5     !! ended, because the model asked for it

    !> Sums of squares in lanes are plain. Norms beyond these bounds, and triangles nearer to singular than the
    !> last one, are left to the scalar machine.
    real(wp), parameter, public :: least_norm = 1.0e-140_wp
    real(wp), parameter, public :: largest_norm = 1.0e140_wp
    real(wp), parameter, public :: least_ratio = 1.0e-12_wp

    !> The options of all fits of a batch.
    type, public :: lane_options
        real(wp) :: ftol, xtol, gtol                !! tolerances: sum of squares, iterates, gradient
        real(wp) :: factor                          !! initial step bound, in units of ‖D x‖
        real(wp) :: maxfev                          !! bound on evaluations of the residuals
        real(wp) :: epsfcn                          !! relative error of the residuals, for differences
    end type lane_options

end module lane_kinds
