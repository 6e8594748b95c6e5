! SPDX-License-Identifier: BSD-3-Clause
! Copyright (c) The leastsq developers

!> The collection of least-squares test problems of Moré, Garbow and Hillstrom: 18 problems, 28 sizes, 53 runs.
!>
!> Reference: J. J. Moré, B. S. Garbow, K. E. Hillstrom, Testing unconstrained optimization software,
!> ACM Trans. Math. Softw. 7 (1981) 17-41: definitions, standard starting points and minima.
module problems
    use kinds, only: wp
    use linear_problems, only: linear_full_rank, linear_rank_1, linear_rank_1_with_zeros
    use algebraic_problems, only: rosenbrock, freudenstein_roth, helical_valley, powell_singular, brown_dennis, &
        watson, brown_almost_linear, chebyquad
    use fitting_problems, only: bard, kowalik_osborne, meyer, box_3d, jennrich_sampson, osborne_1, osborne_2
    implicit none (type, external)
    private
    public :: residuals, jacobian, starting_point, minima

    !> One problem in one size, to be started from 1, 10 and 100 times the standard starting point.
    type, public :: problem_size
        integer :: problem              !! 1 to 18
        integer :: n                    !! parameters
        integer :: m                    !! residuals
        integer :: starts               !! how many of the three starting points are used
    end type problem_size

    character(*), parameter, public :: names(18) = [character(24) :: &
        "linear full rank", "linear rank 1", "linear rank 1 with zeros", "Rosenbrock", "helical valley", &
        "Powell singular", "Freudenstein-Roth", "Bard", "Kowalik-Osborne", "Meyer", "Watson", "Box 3-D", &
        "Jennrich-Sampson", "Brown-Dennis", "Chebyquad", "Brown almost-linear", "Osborne 1", "Osborne 2"]

    type(problem_size), parameter, public :: sizes(28) = [ &
        problem_size(1, 5, 10, 1), problem_size(1, 5, 50, 1), problem_size(2, 5, 10, 1), &
        problem_size(2, 5, 50, 1), problem_size(3, 5, 10, 1), problem_size(3, 5, 50, 1), &
        problem_size(4, 2, 2, 3), problem_size(5, 3, 3, 3), problem_size(6, 4, 4, 3), &
        problem_size(7, 2, 2, 3), problem_size(8, 3, 15, 3), problem_size(9, 4, 11, 3), &
        problem_size(10, 3, 16, 2), problem_size(11, 6, 31, 3), problem_size(11, 9, 31, 3), &
        problem_size(11, 12, 31, 3), problem_size(12, 3, 10, 1), problem_size(13, 2, 10, 1), &
        problem_size(14, 4, 20, 3), problem_size(15, 1, 8, 3), problem_size(15, 8, 8, 1), &
        problem_size(15, 9, 9, 1), problem_size(15, 10, 10, 1), problem_size(16, 10, 10, 3), &
        problem_size(16, 30, 30, 1), problem_size(16, 40, 40, 1), problem_size(17, 5, 33, 1), &
        problem_size(18, 11, 65, 1)]

contains

    !> Residuals of a problem at x.
    pure function residuals(problem, m, x) result(f)
        integer, intent(in) :: problem              !! 1 to 18
        integer, intent(in) :: m                    !! number of residuals
        real(wp), intent(in) :: x(:)                !! parameters
        real(wp) :: f(m)

        real(wp) :: jac(m, size(x))

        call evaluate(problem, x, f, jac)
    end function residuals

    !> Analytic Jacobian of a problem at x.
    pure function jacobian(problem, m, x) result(jac)
        integer, intent(in) :: problem              !! 1 to 18
        integer, intent(in) :: m                    !! number of residuals
        real(wp), intent(in) :: x(:)                !! parameters
        real(wp) :: jac(m, size(x))

        real(wp) :: f(m)

        call evaluate(problem, x, f, jac)
    end function jacobian

    !> Residuals and Jacobian of a problem at x.
    pure subroutine evaluate(problem, x, f, jac)
        integer, intent(in) :: problem              !! 1 to 18
        real(wp), intent(in) :: x(:)                !! parameters
        real(wp), intent(out) :: f(:)               !! residuals
        real(wp), intent(out) :: jac(:, :)          !! Jacobian

        select case (problem)
        case (1); call linear_full_rank(x, f, jac)
        case (2); call linear_rank_1(x, f, jac)
        case (3); call linear_rank_1_with_zeros(x, f, jac)
        case (4); call rosenbrock(x, f, jac)
        case (5); call helical_valley(x, f, jac)
        case (6); call powell_singular(x, f, jac)
        case (7); call freudenstein_roth(x, f, jac)
        case (8); call bard(x, f, jac)
        case (9); call kowalik_osborne(x, f, jac)
        case (10); call meyer(x, f, jac)
        case (11); call watson(x, f, jac)
        case (12); call box_3d(x, f, jac)
        case (13); call jennrich_sampson(x, f, jac)
        case (14); call brown_dennis(x, f, jac)
        case (15); call chebyquad(x, f, jac)
        case (16); call brown_almost_linear(x, f, jac)
        case (17); call osborne_1(x, f, jac)
        case (18); call osborne_2(x, f, jac)
        case default; error stop "no such problem"
        end select
    end subroutine evaluate

    !> Standard starting point times a factor; where it is zero, the vector of factors (but for factor 1).
    pure function starting_point(problem, n, factor) result(x)
        integer, intent(in) :: problem              !! 1 to 18
        integer, intent(in) :: n                    !! number of parameters
        real(wp), intent(in) :: factor              !! 1, 10 or 100
        real(wp) :: x(n)

        integer :: j

        select case (problem)
        case (1:3, 8); x = 1.0_wp
        case (4); x = [-1.2_wp, 1.0_wp]
        case (5); x = [-1.0_wp, 0.0_wp, 0.0_wp]
        case (6); x = [3.0_wp, -1.0_wp, 0.0_wp, 1.0_wp]
        case (7); x = [0.5_wp, -2.0_wp]
        case (9); x = [0.25_wp, 0.39_wp, 0.415_wp, 0.39_wp]
        case (10); x = [0.02_wp, 4000.0_wp, 250.0_wp]
        case (11); x = 0.0_wp
        case (12); x = [0.0_wp, 10.0_wp, 20.0_wp]
        case (13); x = [0.3_wp, 0.4_wp]
        case (14); x = [25.0_wp, 5.0_wp, -5.0_wp, -1.0_wp]
        case (15); x = [(j/(n + 1.0_wp), j=1, n)]
        case (16); x = 0.5_wp
        case (17); x = [0.5_wp, 1.5_wp, -1.0_wp, 0.01_wp, 0.02_wp]
        case default
            x = [1.3_wp, 0.65_wp, 0.65_wp, 0.7_wp, 0.6_wp, 3.0_wp, 5.0_wp, 7.0_wp, 2.0_wp, 4.5_wp, 5.5_wp]
        end select
        if (problem == 11 .and. factor /= 1.0_wp) then
            x = factor
        else
            x = factor*x
        end if
    end function starting_point

    !> Known minima of the sum of squares, global and local, some of them approached only at infinity.
    !> (Chebyquad with one node and eight polynomials: the maximum at the middle, where it starts, and the
    !> outermost minimum, from the zeros of the derivative.)
    pure function minima(problem, n, m) result(least)
        integer, intent(in) :: problem              !! 1 to 18
        integer, intent(in) :: n                    !! number of parameters
        integer, intent(in) :: m                    !! number of residuals
        real(wp), allocatable :: least(:)

        select case (problem)
        case (1); least = [real(m - n, wp)]
        case (2); least = [m*(m - 1)/(2.0_wp*(2*m + 1))]
        case (3); least = [(m**2 + 3*m - 6)/(2.0_wp*(2*m - 3))]
        case (4:6, 12); least = [0.0_wp]
        case (7); least = [0.0_wp, 48.9842_wp]
        case (8); least = [8.21487e-3_wp, 17.4286_wp]
        case (9); least = [3.07505e-4_wp, 1.02734e-3_wp]
        case (10); least = [87.9458_wp]
        case (11)
            if (n == 6) least = [2.28767e-3_wp]
            if (n == 9) least = [1.39976e-6_wp]
            if (n == 12) least = [4.72238e-10_wp]
        case (13); least = [124.362_wp]
        case (14); least = [85822.2_wp]
        case (15)
            if (n == 1) least = [3.557893675989_wp, 3.550391297674_wp]
            if (n == 8) least = [3.51687e-3_wp]
            if (n == 9) least = [0.0_wp]
            if (n == 10) least = [6.50395e-3_wp]
        case (16); least = [0.0_wp, 1.0_wp]
        case (17); least = [5.46489e-5_wp]
        case default; least = [4.01377e-2_wp]
        end select
    end function minima

end module problems
