! SPDX-License-Identifier: BSD-3-Clause
! Copyright (c) The leastsq developers

!> What is remembered of fits that advance in lockstep between two evaluations, and what becomes of them.
!>
!> A lane is one fit of a group. Lane indices come first in every array, so that each statement about a group is
!> one SIMD instruction or two. The state of a group is three arrays: the scalars named below, (width, scalars), the
!> vectors, (width, n, vectors), and the triangle R with the head of Qᵀ f, (width, n, n + 1).
module lane_kinds
    use kinds, only: wp, long
    implicit none (type, external)
    private
    public :: layout_of_lanes

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
    !> last one, are left to the scalar machine, which evaluates large fits with guarded norms where it has to.
    real(wp), parameter, public :: least_norm = 1.0e-140_wp
    real(wp), parameter, public :: largest_norm = 1.0e140_wp
    real(wp), parameter, public :: least_ratio = 1.0e-12_wp

    !> Where each part of the work of `fit_queue` begins.
    type, public :: lane_layout
        integer(long) :: x, y, w                    !! predictors, observations, weights: blocks of rows of a group
        integer(long) :: s, v, head                 !! the state of a group
        integer(long) :: fresh                      !! its triangles at the trial points
        integer(long) :: block                      !! rows being folded
        integer(long) :: scratch                    !! scratch of a step
        integer(long) :: alone                      !! arrays of a fit by itself
        integer(long) :: whole                      !! arrays of a function for a fit
        integer(long) :: size                       !! length of the work
    end type lane_layout

contains

    !> Lay out the work, for the widest group.
    pure function layout_of_lanes(n, predictors, m, alone, whole) result(at)
        integer, intent(in) :: n                    !! parameters
        integer, intent(in) :: predictors           !! predictors
        integer, intent(in) :: m                    !! points of a data set
        integer(long), intent(in) :: alone          !! numbers of a fit by itself
        integer(long), intent(in) :: whole          !! numbers of a function for a fit, for each lane
        type(lane_layout) :: at

        integer(long) :: column

        column = most_width*lane_rows*int((m - 1)/lane_rows + 1, long)
        at%x = 1
        at%y = at%x + column*predictors
        at%w = at%y + column
        at%s = at%w + column
        at%v = at%s + most_width*scalars
        at%head = at%v + most_width*n*vectors
        at%fresh = at%head + most_width*n*(n + 1)
        at%block = at%fresh + most_width*n*(n + 1)
        at%scratch = at%block + most_width*lane_rows*(n + 1)
        at%alone = at%scratch + most_width*(n + 1)*(n + 3)
        at%whole = at%alone + alone
        at%size = at%whole + most_width*whole - 1
    end function layout_of_lanes

end module lane_kinds
